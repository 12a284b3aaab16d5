"""Files that are not ours, or are damaged: refused or reported, and left as they are."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectra_bot import HumanGateStep, RunStatus, StoreError, UnreadableRunError, Workflow, WorkflowRunner
from spectra_bot.store.connection import open_database

waiting = Workflow("waiting")
waiting.add("gate", HumanGateStep("Go on?", data={"plan": "x" * 2000}))


RUNS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spectra.db"


@pytest.fixture
async def ours(path: Path) -> Path:
    """A file of ours with a few runs, closed cleanly."""
    async with WorkflowRunner(workflows=[waiting], database=str(path)) as runner:
        for number in range(RUNS):
            await runner.run("waiting", run_id=f"r-{number}")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".db-shm"}


def letters(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("create table letters (body text)")
    other.close()


def letters_in_wal_mode(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("pragma journal_mode = wal")
    other.execute("create table letters (body text)")
    other.close()


def letters_of_a_program_that_died(path: Path) -> None:
    made = path.with_name("made.db")
    other = sqlite3.connect(made, isolation_level=None)
    other.execute("pragma journal_mode = wal")
    other.execute("create table letters (body text)")
    for end in ("", "-wal"):
        shutil.copy(f"{made}{end}", f"{path}{end}")
    other.close()
    made.unlink()


def letters_with_a_mark(path: Path) -> None:
    letters(path)
    other = sqlite3.connect(path)
    other.execute("pragma application_id = 77")
    other.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"a letter, and no database" * 100)


def a_few_bytes(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


STRANGE: list[Callable[[Path], None]] = [
    letters,
    letters_in_wal_mode,
    letters_of_a_program_that_died,
    letters_with_a_mark,
    garbage,
    a_few_bytes,
]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("make", STRANGE, ids=lambda make: make.__name__)
def test_file_of_others_is_refused_and_nothing_is_left_beside_it(
    make: Callable[[Path], None], read_only: bool, path: Path
) -> None:
    make(path)
    before = contents(path.parent)

    with pytest.raises(StoreError, match=r"made by another program|not a database"):
        open_database(str(path), read_only=read_only)

    assert contents(path.parent) == before
    assert not list(path.parent.glob("*-shm"))


@pytest.mark.parametrize("read_only", [False, True])
async def test_file_that_was_cut_short_is_refused_and_not_touched(ours: Path, read_only: bool) -> None:
    whole = ours.read_bytes()
    ours.write_bytes(whole[: len(whole) // 2])
    before = contents(ours.parent)

    with pytest.raises(StoreError, match=r"is damaged: [\d,]+ of its [\d,]+ bytes are there; restore it"):
        open_database(str(ours), read_only=read_only)

    assert contents(ours.parent) == before


async def test_page_of_zeros_is_reported_by_what_meets_it(ours: Path) -> None:
    damaged = with_page_of_zeros(ours, "leaf")

    with pytest.raises(StoreError, match="it is damaged; stop what uses it and restore it from a backup"):
        await read_everything(ours)

    assert ours.read_bytes() == damaged


async def test_zeros_in_a_question_are_reported_and_the_other_questions_are_listed(ours: Path) -> None:
    damaged = with_page_of_zeros(ours, "overflow")

    with pytest.raises(UnreadableRunError, match="is damaged; restore the database from a backup"):
        await read_everything(ours)
    async with WorkflowRunner(database=str(ours), read_only=True) as runner:
        assert len(await runner.list_pending()) == RUNS - 1

    assert ours.read_bytes() == damaged


async def test_damaged_run_does_not_hold_up_the_others(ours: Path) -> None:
    with_page_of_zeros(ours, "overflow")
    readable = await readable_runs(ours)

    async with WorkflowRunner(workflows=[waiting], database=str(ours)) as runner:
        for run_id in readable:
            [request] = await runner.list_pending(run_id=run_id)
            await runner.answer(request.id, request.answer("approve"))
            done = await asyncio.wait_for(runner.wait(run_id, over=True), 10)
            assert done.status is RunStatus.COMPLETED

    assert len(readable) == RUNS - 1


def test_file_whose_maker_died_at_once_is_ours(path: Path) -> None:
    made = path.with_name("made.db")
    first = open_database(str(made)).conn
    for end in ("", "-wal"):
        shutil.copy(f"{made}{end}", f"{path}{end}")
    first.close()
    assert path.read_bytes()[68:72] == bytes(4)  # our mark is not in the file yet

    connection = open_database(str(path)).conn

    assert connection.execute("select count(*) from runs").fetchone() == (0,)
    connection.close()


def test_second_connection_of_a_process_leaves_the_first_its_locks(path: Path) -> None:
    first = open_database(str(path)).conn
    open_database(str(path)).conn.close()

    # A program that finds nobody else at work folds the log into the file when it leaves, and removes the log.
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from runs').fetchall(); c.close()"
    )
    subprocess.run([sys.executable, "-c", other, str(path)], check=True)
    first.execute("insert into shapes values ('a', 'b')")

    assert path.with_name("spectra.db-wal").exists()
    first.close()
    again = open_database(str(path)).conn
    assert again.execute("select digest from shapes").fetchall() == [("a",)]
    again.close()


def with_page_of_zeros(path: Path, kind: str) -> bytes:
    """Overwrite a page in the middle of the events; returns what the file holds then."""
    connection = sqlite3.connect(path)
    (size,) = connection.execute("pragma page_size").fetchone()
    query = "select pageno from dbstat where name = 'events' and pagetype = ? order by pageno"
    pages = connection.execute(query, (kind,)).fetchall()
    connection.close()
    page = pages[len(pages) // 2][0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    return path.read_bytes()


async def read_everything(path: Path) -> None:
    async with WorkflowRunner(database=str(path), read_only=True) as runner:
        for run in await runner.list_runs():
            await runner.history(run.run_id)


async def readable_runs(path: Path) -> list[str]:
    found = []
    async with WorkflowRunner(database=str(path), read_only=True) as runner:
        for run in await runner.list_runs():
            with contextlib.suppress(StoreError, UnreadableRunError):
                await runner.get(run.run_id)
                found.append(run.run_id)
    return found
