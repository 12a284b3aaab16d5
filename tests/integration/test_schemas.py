"""Files of each released schema: brought up to date when they are opened, and their runs carried on.

A kept file is made by `python -m tests.integration.schemas.make`, with the code of its own release.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from spectra_bot import RunDetails, RunStatus, StoreError, WorkflowRunner
from spectra_bot.machine.events import InterruptAnswered, dump
from spectra_bot.store import connection as opening
from spectra_bot.store.connection import open_database
from spectra_bot.store.schema import SCHEMA_VERSION, migrations
from spectra_bot.testing import ManualClock
from tests.integration.schemas.workflows import DEADLINE, Board, World, workflows

KEPT = sorted((Path(__file__).parent / "schemas").glob("v*.sql"))
TIMEOUT_S = 20
DIED_FOR = timedelta(hours=1)
"""How long no process worked on the kept runs."""

every_schema = pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.stem)


class Successor:
    """The process that opens a kept file next."""

    def __init__(self, database: Path) -> None:
        self.world = World()
        self.clock = ManualClock()
        self.clock.advance(DIED_FOR)
        self.runner = WorkflowRunner(
            workflows=workflows(self.world),
            database=str(database),
            handlers=[Board(self.world)],
            clock=self.clock,
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the clock run until something holds."""
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():
                self.clock.advance(timedelta(seconds=0.1))
                await asyncio.sleep(0.001)

    async def answered(self, run_id: str) -> None:
        """Approve the one pending question of a run, and wait for its end."""
        [request] = await self.runner.list_pending(run_id=run_id)
        await self.runner.answer(request.id, request.answer("approve", responder="cli:grace"))
        done = await asyncio.wait_for(self.runner.wait(run_id, over=True), TIMEOUT_S)
        assert done.status is RunStatus.COMPLETED


@asynccontextmanager
async def successor(kept: Path, folder: Path) -> AsyncIterator[Successor]:
    one = Successor(restored(kept, folder))
    async with one.runner:
        yield one


def restored(kept: Path, folder: Path) -> Path:
    """A database as its SQL says."""
    database = folder / "spectra.db"
    connection = sqlite3.connect(database)
    connection.executescript(kept.read_text(encoding="utf-8"))
    connection.execute("pragma journal_mode = wal")
    connection.close()
    return database


def bring_up_to_date(database: Path) -> None:
    open_database(str(database)).conn.close()


def version_of(database: Path) -> int:
    connection = sqlite3.connect(database)
    (version,) = connection.execute("pragma user_version").fetchone()
    connection.close()
    return int(version)


def test_every_released_schema_is_kept() -> None:
    assert [kept.stem for kept in KEPT] == [f"v{number}" for number in range(1, SCHEMA_VERSION + 1)]


@every_schema
def test_file_is_brought_to_the_newest_schema(kept: Path, tmp_path: Path) -> None:
    database = restored(kept, tmp_path)

    open_database(str(database)).conn.close()
    new = open_database(str(tmp_path / "new.db"))
    old = open_database(str(database))

    assert version_of(database) == SCHEMA_VERSION
    assert {table.name: table.schema for table in old.tables} == {table.name: table.schema for table in new.tables}
    assert {index.name for table in old.tables for index in table.indexes} == {
        index.name for table in new.tables for index in table.indexes
    }
    old.conn.close()
    new.conn.close()


@every_schema
async def test_questions_that_waited_are_answered_and_their_runs_end(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        await process.answered("pending")
        await process.answered("several")

        several = await process.runner.get("several")

    assert several.outputs["ask"] == ["approve", "approve"]
    assert process.world.shipped.count("pending") == 1


@every_schema
async def test_deadline_that_was_stored_is_met(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        process.clock.advance(DEADLINE)

        done = await asyncio.wait_for(process.runner.wait("deadline", over=True), TIMEOUT_S)

    assert done.outputs["after"] == "in time"


async def test_deadline_is_met_that_the_first_version_stored_after_the_file_was_brought_up_to_date(
    tmp_path: Path,
) -> None:
    database = restored(KEPT[0], tmp_path)
    await asyncio.to_thread(bring_up_to_date, database)
    connection = sqlite3.connect(database)
    known = "interrupt_id, run_id, seq, status, created_at, deadline"  # to the first version
    rows = connection.execute(f"select {known} from interrupts").fetchall()  # noqa: S608  a constant
    connection.execute("delete from interrupts")
    connection.executemany(f"insert into interrupts ({known}) values (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
    connection.commit()
    connection.close()
    process = Successor(database)

    async with process.runner:
        process.clock.advance(DEADLINE)
        done = await asyncio.wait_for(process.runner.wait("deadline", over=True), TIMEOUT_S)

    assert done.outputs["after"] == "in time"


async def test_run_is_carried_on_that_the_first_version_set_going_while_it_only_waited(tmp_path: Path) -> None:
    database = restored(KEPT[0], tmp_path)
    async with Successor(database).runner as runner:
        [request] = await runner.list_pending(run_id="pending")
    answered = InterruptAnswered(
        at=datetime.now(UTC),
        interrupt_id=request.id,
        response=request.answer("approve", responder="slack:T1/U1").model_copy(update={"interrupt_id": request.id}),
    )
    connection = sqlite3.connect(database)
    quiet = connection.execute("select delivered_to is not null from runs where run_id = 'pending'").fetchone()
    connection.execute(
        "insert into events select 'pending', seq + 1, 'InterruptAnswered', ? from runs where run_id = 'pending'",
        (dump(answered).decode(),),
    )
    connection.execute("update interrupts set status = 'approved' where interrupt_id = ?", (request.id,))
    # As the first version does: it knows nothing of `delivered_to`, and died right after.
    connection.execute("update runs set seq = seq + 1, status = 'running', owner = 'o-dead' where run_id = 'pending'")
    connection.commit()
    connection.close()

    async with Successor(database).runner as runner:
        done = await asyncio.wait_for(until_over(runner, "pending"), TIMEOUT_S)

    assert quiet == (1,)
    assert done.status is RunStatus.COMPLETED


async def until_over(runner: WorkflowRunner, run_id: str) -> RunDetails:
    """Look until the run is over, without asking for it: who waits for a run has it taken over."""
    while True:
        details = await runner.get(run_id)
        if details.status.over:
            return details
        await asyncio.sleep(0.01)


@every_schema
async def test_run_whose_process_died_goes_on_and_repeats_no_effect(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        done = await asyncio.wait_for(process.runner.wait("running", over=True), TIMEOUT_S)
        history = [entry.event for entry in await process.runner.history("running")]

    assert done.outputs["ship"] == "shipped"
    assert process.world.shipped == []
    assert "RunRecovered" in history


@every_schema
async def test_failed_run_is_retried_without_its_effect(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        done = await asyncio.wait_for(process.runner.retry("failed", by="cli:grace"), TIMEOUT_S)

    assert (done.status, done.outputs["ship"], process.world.shipped) == (RunStatus.COMPLETED, "shipped", [])


@every_schema
async def test_message_that_was_not_closed_is_closed(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        await process.until(lambda: "unsettled approve" in process.world.settled)

        details = await process.runner.get("unsettled")

    assert details.status is RunStatus.COMPLETED
    assert "completed approve" not in process.world.settled


@every_schema
async def test_what_is_over_reads_as_it_was(kept: Path, tmp_path: Path) -> None:
    async with successor(kept, tmp_path) as process:
        completed, cancelled = [await process.runner.get(run_id) for run_id in ("completed", "cancelled")]
        history = await process.runner.history("completed")

    assert (completed.status, completed.requested_by) == (RunStatus.COMPLETED, "cli:ada")
    assert [record.response.responder for record in completed.interrupts if record.response] == ["slack:T1/U1"]
    assert (cancelled.status, cancelled.error) == (RunStatus.CANCELLED, "cancelled by cli:ada: not today")
    assert [entry.seq for entry in history] == list(range(1, len(history) + 1))


def test_migration_that_fails_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = restored(KEPT[-1], tmp_path)
    before = database.read_bytes()
    broken = Migrations("spectra-bot")
    for known in migrations.pending(Database(memory=True)):
        broken(name=known.name)(known.fn)

    @broken()
    def half_way(db: Database) -> None:
        db.execute("alter table runs add column colour text")
        db.execute("update runs set colour = 'red'")
        db.execute("insert into nowhere values (1)")

    monkeypatch.setattr(opening, "migrations", broken)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    with pytest.raises(StoreError, match="nowhere"):
        open_database(str(database))

    assert database.read_bytes() == before


async def test_looking_at_an_older_file_says_what_brings_it_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = restored(KEPT[-1], tmp_path)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    with pytest.raises(StoreError, match=rf"schema is version {SCHEMA_VERSION} .*`spectra-bot serve`"):
        async with WorkflowRunner(database=str(database), read_only=True):
            pass

    assert version_of(database) == SCHEMA_VERSION
