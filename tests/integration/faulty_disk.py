"""Disks that fail while a runner works on them, and programs that are in its way."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from spectra_bot import WorkflowRunner
from spectra_bot.embedded import EmbeddedEngine
from spectra_bot.store import SqliteStore

T = TypeVar("T")
_AMPLE = 2**30


class Fault(Protocol):
    """Something that is wrong with the disk for a while."""

    async def begin(self, runner: WorkflowRunner, database: Path) -> None: ...

    async def end(self, runner: WorkflowRunner) -> None: ...


class Full:
    """The database has all the pages that it gets; what fits into those is still stored."""

    async def begin(self, runner: WorkflowRunner, database: Path) -> None:
        def fill(connection: sqlite3.Connection) -> None:
            (pages,) = connection.execute("pragma page_count").fetchone()
            connection.execute(f"pragma max_page_count = {pages}").fetchone()

        await on_connection(runner, fill)

    async def end(self, runner: WorkflowRunner) -> None:
        await on_connection(runner, lambda c: c.execute(f"pragma max_page_count = {_AMPLE}").fetchone())


class Failing:
    """The kernel lets no file grow any more, so not even a heartbeat is stored."""

    async def begin(self, runner: WorkflowRunner, database: Path) -> None:
        # The log grows with each commit; Python ignores the signal that comes with the error.
        _limit(os.path.getsize(f"{database}-wal"))

    async def end(self, runner: WorkflowRunner) -> None:
        _limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


async def on_connection(runner: WorkflowRunner, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do something on the runner's own connection."""
    engine = runner._engine  # the fault is made inside
    assert isinstance(engine, EmbeddedEngine)
    store = engine._store
    assert isinstance(store, SqliteStore)
    return await store.writer.submit(work, writes=False)


@asynccontextmanager
async def faulty(fault: Fault, runner: WorkflowRunner, database: Path) -> AsyncIterator[None]:
    await fault.begin(runner, database)
    try:
        yield
    finally:
        await fault.end(runner)


class LockingProgram:
    """Another program that keeps a transaction open until it is let go."""

    _CODE = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('begin immediate'); "
        "print('locked', flush=True); sys.stdin.readline(); c.execute('rollback'); print('free', flush=True)"
    )

    def __init__(self, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._CODE, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._expect("locked")

    def let_go(self) -> None:
        """End its transaction."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._expect("free")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word
