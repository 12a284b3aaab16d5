"""A backup made while others write: whole, of one moment, and free to be carried on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from spectra_bot import HumanGateStep, RunStatus, StepContext, StoreError, Workflow, WorkflowRunner
from spectra_bot.store import back_up, find_damage
from spectra_bot.store import backup as backing_up
from tests.integration.answering_process import LEASE_S
from tests.integration.test_strange_files import with_page_of_zeros

RUNS = 60


def waiting() -> Workflow:
    workflow = Workflow("waiting")
    workflow.add("gate", HumanGateStep("Go on?", data={"plan": "x" * 6000}))
    return workflow


def hanging(reached: asyncio.Event, let_go: asyncio.Event) -> Workflow:
    workflow = Workflow("hanging")

    @workflow.step
    async def hang(ctx: StepContext) -> str:
        reached.set()
        await let_go.wait()
        return "done"

    return workflow


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "spectra.db"


@pytest.fixture
async def filled(database: Path) -> Path:
    async with WorkflowRunner(workflows=[waiting()], database=str(database)) as runner:
        for number in range(RUNS):
            await runner.run("waiting", run_id=f"r-{number}")
    return database


async def test_copy_is_of_one_moment_while_another_connection_writes(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "PAGES_A_STEP", 4)
    other = sqlite3.connect(filled, isolation_level=None, check_same_thread=False)
    said: list[tuple[int, int]] = []

    def write(done: int, total: int) -> None:
        said.append((done, total))
        other.execute("update runs set error = ?", (str(done),))

    made = await asyncio.to_thread(back_up, filled, tmp_path / "copy.db", progress=write)

    other.close()
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert made.runs == RUNS
    assert copy.execute("select distinct error from runs").fetchall() == [(None,)]
    copy.close()
    assert len(said) > 10
    assert said == sorted(said)
    assert len({total for _, total in said}) == 1


async def test_copy_is_one_private_file_and_nothing_is_left_beside_it(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    previous = os.umask(0)
    try:
        made = await asyncio.to_thread(back_up, filled, folder / "copy.db")
    finally:
        os.umask(previous)

    assert [file.name for file in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.size_bytes == made.path.stat().st_size
    assert await asyncio.to_thread(find_damage, made.path) == []


async def test_run_at_work_in_the_original_goes_on_in_the_copy_at_once(database: Path, tmp_path: Path) -> None:
    reached, let_go = asyncio.Event(), asyncio.Event()
    workflow = hanging(reached, let_go)
    async with WorkflowRunner(workflows=[workflow], database=str(database), lease_s=3600) as original:
        run_id = await original.start("hanging")
        await reached.wait()
        await asyncio.to_thread(back_up, database, tmp_path / "copy.db")
        let_go.set()

        async with WorkflowRunner(workflows=[workflow], database=str(tmp_path / "copy.db")) as restored:
            done = await asyncio.wait_for(restored.wait(run_id, over=True), LEASE_S)
            history = [entry.event for entry in await restored.history(run_id)]

        assert (await original.wait(run_id, over=True)).status is RunStatus.COMPLETED
    assert done.outputs["hang"] == "done"
    assert "RunRecovered" in history


async def test_decision_that_was_stored_is_in_the_next_backup(filled: Path, tmp_path: Path) -> None:
    async with WorkflowRunner(workflows=[waiting()], database=str(filled)) as runner:
        [request] = await runner.list_pending(run_id="r-7")
        await runner.answer(request.id, request.answer("approve", responder="cli:ada"))

        await asyncio.to_thread(back_up, filled, tmp_path / "copy.db")

    async with WorkflowRunner(database=str(tmp_path / "copy.db"), read_only=True) as restored:
        record = await restored.get_interrupt(request.id)
    assert record.response is not None
    assert record.response.responder == "cli:ada"


async def test_other_files_are_not_replaced_unless_that_is_meant(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("dear Ada")

    with pytest.raises(StoreError, match="it is there already; name another file, or replace it with --force"):
        await asyncio.to_thread(back_up, filled, other)
    assert other.read_text() == "dear Ada"
    await asyncio.to_thread(back_up, filled, other, overwrites=True)

    assert await asyncio.to_thread(find_damage, other) == []


async def test_what_is_no_file_is_not_replaced(filled: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(StoreError, match="that is a device or a pipe, and no file; name another"):
        await asyncio.to_thread(back_up, filled, pipe, overwrites=True)

    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["spectra.db", "link.db", "spectra.db-wal", "spectra.db-shm"])
async def test_database_itself_is_never_the_target(filled: Path, name: str) -> None:
    before = filled.read_bytes()
    if name == "link.db":
        filled.with_name(name).hardlink_to(filled)

    with pytest.raises(StoreError, match=r"the database itself; name another file"):
        await asyncio.to_thread(back_up, filled, filled.with_name(name), overwrites=True)

    assert filled.read_bytes() == before


async def test_file_that_may_be_in_use_is_not_replaced(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "used.db-wal").touch()

    with pytest.raises(StoreError, match=r"used\.db-wal stands beside it"):
        await asyncio.to_thread(back_up, filled, tmp_path / "used.db", overwrites=True)


async def test_damaged_database_gives_no_backup_and_says_so(filled: Path, tmp_path: Path) -> None:
    with_page_of_zeros(filled, "leaf")
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "copy.db").write_text("yesterday's")

    with pytest.raises(StoreError, match="not made, for the database is damaged"):
        await asyncio.to_thread(back_up, filled, folder / "copy.db", overwrites=True)

    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [("copy.db", "yesterday's")]


async def test_backup_that_is_stopped_leaves_nothing(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "PAGES_A_STEP", 4)
    folder = tmp_path / "backups"
    folder.mkdir()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(back_up, filled, folder / "copy.db", progress=stop)

    assert list(folder.iterdir()) == []
