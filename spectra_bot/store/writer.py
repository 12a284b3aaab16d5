"""The store's own thread: jobs that wait together are committed together, and one that is alone does not wait."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlite_utils import Database

from spectra_bot.errors import StoreError
from spectra_bot.store.faults import in_words, is_busy

logger = logging.getLogger(__name__)

MAX_GROUP = 512
"""As many jobs as one transaction takes."""

Result = TypeVar("Result")


@dataclass(slots=True)
class _Job(Generic[Result]):
    work: Callable[[sqlite3.Connection], Result]
    writes: bool
    future: asyncio.Future[Result]
    result: Result | None = None
    error: Exception | None = None


_NOTHING: _Job[object] = _Job(lambda _: None, False, None)  # type: ignore[arg-type]  # nobody waits for it
"""Wakes the thread."""


class Writer:
    """Runs jobs on a thread that alone touches the connection.

    A job must either change nothing and return, or change what it means to: when one raises, its whole group is
    rolled back and each job of it runs again in a transaction of its own.
    """

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open_database = open_database
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="spectra-store", daemon=True)
        self._closed = False
        self._repeated: tuple[Callable[[sqlite3.Connection], float], float, Callable[[float], None]] | None = None
        self._due_s = 0.0
        self.commits = 0
        """How many transactions were committed, for benchmarks."""

    async def open(self) -> None:
        """Start the thread and open the database on it.

        Raises:
            StoreError: the database can't be opened.
        """
        self._thread.start()
        await self._opened

    def submit(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool) -> asyncio.Future[Result]:
        """Queue a job; its result comes after the commit of the group it was in."""
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put(_Job(work, writes, future))  # type: ignore[arg-type]  # a queue of jobs of any result
        return future

    def repeat(
        self, work: Callable[[sqlite3.Connection], float], every_s: float, committed: Callable[[float], None]
    ) -> None:
        """Have work done every so many seconds, whatever the event loop does meanwhile.

        Args:
            committed: told the work's result after its commit, on the store's thread.
        """
        self._due_s = time.monotonic() + every_s
        self._repeated = (work, every_s, committed)
        self._jobs.put(_NOTHING)

    def stop_repeating(self) -> None:
        """Have no more work repeated."""
        self._repeated = None
        self._jobs.put(_NOTHING)

    async def close(self) -> None:
        """Carry out what is queued, close the database, end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        try:
            database = self._open_database()
        except Exception as error:  # noqa: BLE001  handed to whoever opens the store
            self._loop.call_soon_threadsafe(_fail, self._opened, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        connection = database.conn
        try:
            while (group := self._next_group()) is not None:
                self._carry_out(connection, group)
                if group:
                    self._loop.call_soon_threadsafe(_deliver, group)
                self._carry_out_repeated(connection)
        except RuntimeError:
            logger.exception("event loop closed before its store")
        finally:
            connection.close()

    def _next_group(self) -> list[_Job[object]] | None:
        """The jobs that wait; none where it is time for the repeated work; None at the end."""
        try:
            wait_s = max(self._due_s - time.monotonic(), 0.0) if self._repeated else None
            job = self._jobs.get(timeout=wait_s)
        except queue.Empty:
            return []
        group: list[_Job[object]] = []
        while job is not None:
            if job is not _NOTHING:
                group.append(job)
            if len(group) == MAX_GROUP or self._jobs.empty():
                return group
            job = self._jobs.get_nowait()
        if group:
            self._jobs.put(None)
            return group
        return None

    def _carry_out_repeated(self, connection: sqlite3.Connection) -> None:
        repeated = self._repeated
        if repeated is None or time.monotonic() < self._due_s:
            return
        work, every_s, committed = repeated
        job: _Job[Any] = _Job(work, True, self._opened)
        try:
            self._transact(connection, [job])
            assert job.result is not None, "the work gives a number"  # noqa: S101
            committed(job.result)
        except sqlite3.Error:
            logger.warning("repeated work of the store failed", exc_info=True)
        self._due_s = time.monotonic() + every_s

    def _carry_out(self, connection: sqlite3.Connection, group: list[_Job[object]]) -> None:
        try:
            self._transact(connection, group)
        except Exception as error:  # noqa: BLE001  each job is told its own
            if len(group) == 1:
                group[0].error = _translated(error)
                return
            for job in group:
                if is_busy(error) and job.writes:
                    job.error = _translated(error)  # tried anew, each would wait as long as all have waited by now
                else:
                    self._carry_out(connection, [job])

    def _transact(self, connection: sqlite3.Connection, group: list[_Job[object]]) -> None:
        if not any(job.writes for job in group):
            for job in group:
                job.result = job.work(connection)
            return
        connection.execute("begin immediate")
        try:
            for job in group:
                job.result = job.work(connection)
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        self.commits += 1


def _translated(error: Exception) -> Exception:
    return StoreError(f"database: {in_words(error)}") if isinstance(error, sqlite3.Error) else error


def _deliver(group: list[_Job[object]]) -> None:
    for job in group:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
