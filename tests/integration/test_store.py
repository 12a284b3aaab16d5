"""The store on real files: what it opens, what it refuses, and what is committed together."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from spectra_bot import HumanGateStep, InterruptRequest, RunStatus, StepContext, StoreError, Workflow, WorkflowRunner
from spectra_bot.embedded.journal import change, new_run
from spectra_bot.machine import apply, start
from spectra_bot.machine import events as e
from spectra_bot.store import Owner, SqliteStore
from spectra_bot.store.connection import open_database
from spectra_bot.store.off_loop import OffLoopConnection
from spectra_bot.store.schema import APPLICATION_ID, SCHEMA_VERSION
from spectra_bot.store.writer import Writer
from spectra_bot.testing.clock import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spectra.db"


async def test_file_of_another_program_is_refused_and_not_touched(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("create table letters (body text)")
    other.commit()
    other.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="made by another program"):
        async with SqliteStore(str(path)):
            pass

    assert path.read_bytes() == before


async def test_file_that_is_no_database_is_refused_and_not_touched(path: Path) -> None:
    path.write_bytes(b"a letter, and no database" * 100)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="not a database"):
        async with SqliteStore(str(path)):
            pass

    assert path.read_bytes() == before


async def test_newer_schema_is_refused_by_its_number(path: Path) -> None:
    async with SqliteStore(str(path)):
        pass
    newer = sqlite3.connect(path)
    newer.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    newer.close()

    with pytest.raises(StoreError, match=f"version {SCHEMA_VERSION + 1}.*update spectra-bot"):
        async with SqliteStore(str(path)):
            pass


async def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere.*No such file"):
        async with SqliteStore(str(tmp_path / "nowhere" / "spectra.db")):
            pass


def test_new_file_is_ours_and_durable_at_each_commit(path: Path) -> None:
    connection = open_database(str(path)).conn

    pragmas = {
        name: connection.execute(f"pragma {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "application_id", "user_version")
    }
    connection.close()

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "application_id": APPLICATION_ID,
        "user_version": SCHEMA_VERSION,
    }


def test_many_that_open_a_new_file_at_once_make_one_schema(path: Path) -> None:
    errors: list[BaseException] = []
    together = threading.Barrier(8)

    def open_it() -> None:
        together.wait()
        try:
            open_database(str(path)).conn.close()
        except BaseException as error:  # noqa: BLE001  shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []


async def test_jobs_that_wait_together_are_committed_together(path: Path) -> None:
    writer = Writer(lambda: open_database(str(path)))
    await writer.open()
    gate = threading.Event()
    first = writer.submit(lambda _: gate.wait(5), writes=True)
    others = [writer.submit(lambda _: None, writes=True) for _ in range(50)]

    gate.set()
    await asyncio.gather(first, *others)

    assert writer.commits <= 3
    await writer.close()


async def test_job_that_fails_does_not_take_its_group_with_it(path: Path) -> None:
    writer = Writer(lambda: open_database(str(path)))
    await writer.open()
    gate = threading.Event()
    held = writer.submit(lambda _: gate.wait(5), writes=True)

    def add(name: str, *, fails: bool = False) -> asyncio.Future[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("insert into shapes (digest, body) values (?, 'x')", (name,))
            if fails:
                connection.execute("insert into nowhere values (1)")

        return writer.submit(work, writes=True)

    jobs = [add("a"), add("b", fails=True), add("c")]
    gate.set()
    await held
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    kept = await writer.submit(lambda c: c.execute("select digest from shapes order by 1").fetchall(), writes=False)
    await writer.close()

    assert [type(outcome) for outcome in outcomes] == [type(None), StoreError, type(None)]
    assert kept == [("a",), ("c",)]


async def test_connection_is_touched_on_the_stores_thread_alone(path: Path) -> None:
    writer = Writer(lambda: open_database(str(path)))
    await writer.open()
    seen = await writer.submit(lambda connection: (threading.current_thread(), connection), writes=False)

    with pytest.raises(AssertionError, match="event loop's thread"):
        seen[1].execute("select 1")
    with pytest.raises(sqlite3.ProgrammingError, match="same thread"):
        await asyncio.to_thread(seen[1].execute, "select 1")

    assert seen[0] is not threading.main_thread()
    await writer.close()


async def test_sqlite_is_refused_where_an_event_loop_runs(path: Path) -> None:
    with pytest.raises(AssertionError, match="event loop's thread"):
        open_database(str(path))

    target = sqlite3.connect(":memory:")
    elsewhere = sqlite3.connect(path, factory=OffLoopConnection, check_same_thread=False)
    for use in (
        lambda: elsewhere.execute("select 1"),
        lambda: elsewhere.executemany("select ?", [(1,)]),
        lambda: elsewhere.executescript("select 1"),
        elsewhere.cursor,
        lambda: elsewhere.backup(target),
    ):
        with pytest.raises(AssertionError, match="event loop's thread"):
            use()
    assert await asyncio.to_thread(lambda: elsewhere.execute("select 1").fetchone()) == (1,)
    elsewhere.close()
    target.close()


def begun() -> e.RunStarted:
    """A run of two steps at its start."""
    workflow = Workflow("two")
    workflow.add("first", HumanGateStep("First?"))
    workflow.add("second", HumanGateStep("Second?"))
    return e.RunStarted(at=ManualClock().now(), run_id="r-1", workflow="two", shape=workflow.shape(), inputs={})


@pytest.mark.parametrize(
    ("boot", "later_s", "is_free"),
    [("b-1", 5.0, False), ("b-1", 7.0, True), ("b-1", -7.0, True), ("b-2", 5.0, True)],
    ids=["owner-beats", "beat-is-old", "beat-is-of-another-boot-though-its-id-is-the-same", "another-boot"],
)
async def test_run_is_free_where_its_owner_has_no_beat_of_this_boot_within_its_lease(
    path: Path, boot: str, later_s: float, is_free: bool
) -> None:
    began = begun()
    owner = Owner(owner_id="o-1", boot_id="b-1", pid_namespace=None, pid=1, lease_s=6.0)

    async with SqliteStore(str(path)) as store:
        await store.create(new_run(began), change(0, [began], None, start(began)), owner.owner_id)
        await store.beat(owner, lambda: 1_000.0)
        other = replace(owner, owner_id="o-2", boot_id=boot)
        claim = await store.claim("r-1", ["two"], other, lambda: 1_000.0 + later_s, may_take=True)

    assert (claim is not None) == is_free


@pytest.mark.parametrize("changes_the_status", [True, False])
async def test_owner_that_lost_a_run_and_has_it_again_stores_nothing_from_before(
    path: Path, changes_the_status: bool
) -> None:
    began = begun()
    done: e.Event = e.StepCompleted(at=began.at, step="first", visit=1, output=None)
    event = e.RunCancelled(at=began.at) if changes_the_status else done
    state = start(began)
    next_change = change(1, [event], state, apply(state, event))

    async with SqliteStore(str(path)) as store:
        await store.create(new_run(began), change(0, [began], None, state), "o-1")
        other = sqlite3.connect(path)
        other.execute("update runs set epoch = epoch + 1")  # as two takeovers leave it: away, and back
        other.commit()
        other.close()

        assert not await store.append(next_change, owner_id="o-1", epoch=1)
        assert await store.append(next_change, owner_id="o-1", epoch=2)


async def test_output_is_stored_once_and_the_row_that_changes_stays_small(path: Path) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def make(ctx: StepContext) -> str:
        return "x" * 100_000

    for number in range(5):

        @workflow.step(name=f"ask-{number}")
        async def ask(ctx: StepContext) -> None:
            await ctx.interrupt(InterruptRequest(reason="Go on?"))

    async with WorkflowRunner(workflows=[workflow], database=str(path)) as runner:
        result = await runner.run("large")
        while result.status is RunStatus.INTERRUPTED:
            result = await runner.resume(result.run_id, result.pending[0].answer("approve"))

    reading = sqlite3.connect(path)
    [(stored,)] = reading.execute("select sum(length(body)) from events")
    [(row,)] = reading.execute("select sum(length(status) + length(workflow) + coalesce(length(error), 0)) from runs")
    reading.close()
    assert 100_000 < stored < 110_000
    assert row < 100


async def test_pending_interrupts_are_listed_page_by_page_and_none_twice(path: Path) -> None:
    asking = Workflow("asking")

    @asking.step
    async def ask(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Ship it?"))

    clock = ManualClock()  # it stands still: all are of one moment
    async with WorkflowRunner(workflows=[asking], database=str(path), clock=clock) as runner:
        asked = [(await runner.run("asking")).pending[0].id for _ in range(7)]
        await runner.cancel((await runner.list_pending(limit=1))[0].run_id)
        left = {request.id for request in await runner.list_pending()}
    found: list[str] = []
    async with SqliteStore(str(path)) as store:
        last = None
        while page := await store.pending_after(last, 2):
            found += [pending.interrupt_id for pending in page]
            last = page[-1]

    assert len(asked) == 7
    assert found == sorted(left)
