"""A real SQLite database whose jobs run on the simulated loop, at moments and with faults that the seed decides."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from sqlite_utils import Database

from spectra_bot.errors import StoreError
from spectra_bot.store import SqliteStore
from spectra_bot.store.connection import open_database
from spectra_bot.store.writer import Writer, _deliver, _Job

Result = TypeVar("Result")
Row = tuple[str, int, str]
"""A stored event: run, number, kind."""


class Died(BaseException):
    """The process ended at this very statement."""


class Disk(Protocol):
    """What decides how the disk behaves towards one process."""

    def wait_s(self) -> float:
        """How long the next group of jobs waits for the disk."""
        ...

    def group_of(self, waiting: int) -> int:
        """How many of the waiting jobs are committed together."""
        ...

    def before_commit(self, *, counts: bool) -> None:
        """May raise `sqlite3.Error`, and nothing is stored, or `Died`.

        Args:
            counts: it stores more than a sign of life.
        """
        ...

    def after_commit(self, events: list[tuple[Row, str | None]], *, counts: bool) -> None:
        """May raise `Died`: it is stored, and the process did not hear of it.

        Args:
            events: what was stored, each with the owner that its run had then.
        """
        ...

    def before_change(self) -> None:
        """May raise `sqlite3.Error`: one job fails."""
        ...

    def died(self) -> None:
        """Told when a commit raised `Died`."""
        ...


class Connection(sqlite3.Connection):
    """Tells the disk of each change and commit before it happens."""

    disk: Disk
    _events: list[tuple[Row, str | None]]
    _changes: int
    _signs: int

    def begin_watching(self, disk: Disk) -> None:
        """From now on."""
        self.disk = disk
        self._events = []
        self._changes = self._signs = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "commit":
            return self._commit()
        if sql.startswith("begin"):
            self._events = []
            self._changes, self._signs = self.total_changes, 0
        elif self.in_transaction and sql != "rollback":
            self.disk.before_change()
            cursor = super().execute(sql, parameters)
            if "owners" in sql and cursor.rowcount > 0:
                self._signs += cursor.rowcount
            return cursor
        return super().execute(sql, parameters)

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
        rows = list(rows)
        if "into events" in sql:
            self._events += [((run_id, seq, kind), self._owner_of(run_id)) for run_id, seq, kind, _ in rows]
        return super().executemany(sql, rows)

    def _commit(self) -> sqlite3.Cursor:
        counts = self.total_changes - self._changes > self._signs
        self.disk.before_commit(counts=counts)
        cursor = super().execute("commit")
        self.disk.after_commit(self._events, counts=counts)
        return cursor

    def _owner_of(self, run_id: str) -> str | None:
        row = super().execute("select owner from runs where run_id = ?", (run_id,)).fetchone()
        return None if row is None else row[0]


class SimulatedWriter(Writer):
    """Does what the store's thread does, on the loop and in the lane of that thread."""

    def __init__(self, path: Path, disk: Disk, schedule: Callable[..., object]) -> None:
        super().__init__(lambda: Database(self.connection))
        self._path = path
        self._disk = disk
        self._schedule = schedule
        self._waiting: list[_Job[Any]] = []
        self._heard: list[list[_Job[Any]]] = []
        self._turns = 0
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection of the simulated thread."""
        assert self._connection is not None, "the store is not open"
        return self._connection

    async def open(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=0, factory=Connection)
        self.connection.execute("pragma synchronous = off")
        self.connection.execute("pragma journal_mode = memory")
        self.connection.begin_watching(self._disk)

    def submit(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool) -> asyncio.Future[Result]:
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append(_Job(work, writes, future))
        if len(self._waiting) == 1:
            self._schedule(self._disk.wait_s(), self._turn)
        return future

    def repeat(
        self, work: Callable[[sqlite3.Connection], float], every_s: float, committed: Callable[[float], None]
    ) -> None:
        self._repeated = (work, every_s, committed)
        self._turns += 1
        self._schedule(every_s, self._beat, self._turns)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            while self._waiting or self._heard:
                await asyncio.sleep(0.01)
            self.abandon()

    def abandon(self) -> None:
        """What the system does with the file of a process that died."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    def _turn(self) -> None:
        size = self._disk.group_of(len(self._waiting))
        group, self._waiting = self._waiting[:size], self._waiting[size:]
        try:
            self._carry_out(self.connection, group)
        except Died:
            self._disk.died()
            return
        self._heard.append(group)
        self._schedule(self._disk.wait_s(), self._tell, on_loop=True)
        if self._waiting:
            self._schedule(self._disk.wait_s(), self._turn)

    def _tell(self) -> None:
        """In the order of the commits, whichever of these calls comes first."""
        _deliver(self._heard.pop(0))

    def _beat(self, turn: int) -> None:
        if self._repeated is None or turn != self._turns or self._closed:
            return
        work, every_s, committed = self._repeated
        job: _Job[Any] = _Job(work, True, self._opened)
        try:
            self._transact(self.connection, [job])
            assert job.result is not None, "the work gives a number"
            committed(job.result)
        except Died:
            self._disk.died()
            return
        except sqlite3.Error:
            pass  # the next one may succeed
        self._schedule(every_s, self._beat, turn)


class SimulatedStore(SqliteStore):
    """The product's store with its thread on the loop."""

    def __init__(self, writer: SimulatedWriter) -> None:
        super().__init__("simulated")
        self._writer = writer

    async def __aenter__(self) -> Self:
        await self.writer.open()
        return self


def make_template(path: Path) -> None:
    """An empty database with the product's schema, to be copied for each seed."""
    connection = open_database(str(path)).conn
    connection.execute("pragma journal_mode = delete")
    connection.close()


def copy_template(template: Path, path: Path) -> None:
    """A database for one seed."""
    shutil.copyfile(template, path)
