"""Runs in one SQLite file."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Self

from pydantic_core import from_json

from spectra_bot.interrupts import InterruptRequest
from spectra_bot.runs import RunStatus, RunSummary
from spectra_bot.store import queries as q
from spectra_bot.store.connection import open_database
from spectra_bot.store.port import Attempt, AttemptKey, Change, Claim, Monotonic, NewRun, Owner, PendingInterrupt
from spectra_bot.store.writer import Writer

logger = logging.getLogger(__name__)

Row = tuple[object, ...]


class SqliteStore:
    """The `Store` on a SQLite file, or in memory; an async context manager.

    Args:
        path: the file, made with mode 0600 if it is not there; `:memory:` for a test.
        read_only: open an existing file and change nothing.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._writer: Writer | None = None

    async def __aenter__(self) -> Self:
        self._writer = Writer(lambda: open_database(self._path, read_only=self._read_only))
        await self._writer.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.writer.close()

    @property
    def writer(self) -> Writer:
        """The thread that owns the connection."""
        assert self._writer is not None, "the store is not open"  # noqa: S101  a mistake of the caller
        return self._writer

    async def create(self, run: NewRun, change: Change, owner_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            row = (
                change.run_id,
                run.workflow,
                change.status,
                change.is_open,
                len(change.events),
                owner_id,
                run.requested_by,
                run.created_at,
                change.updated_at,
                change.error,
            )
            if connection.execute(q.CREATE_RUN, row).rowcount == 0:
                return False
            # Each time: one that was stored may have been pruned with the last run on it.
            connection.execute(q.ADD_SHAPE, (run.shape_digest, run.shape))
            _write_rows(connection, change)
            return True

        return await self.writer.submit(work, writes=True)

    async def append(self, change: Change, *, owner_id: str, epoch: int) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            query, row = q.APPEND_AS_OWNER_ONLY, _moved(change)
            if change.is_turn:
                query, row = q.APPEND_AS_OWNER, _run_row(change)
            if connection.execute(query, (*row, change.run_id, change.expected_seq, owner_id, epoch)).rowcount == 0:
                return False
            _write_rows(connection, change)
            return True

        return await self.writer.submit(work, writes=True)

    async def append_from_outside(self, change: Change) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            row = (*_run_row(change), change.run_id, change.expected_seq)
            if connection.execute(q.APPEND_FROM_OUTSIDE, row).rowcount == 0:
                return False
            _write_rows(connection, change)
            return True

        return await self.writer.submit(work, writes=True)

    async def events(self, run_id: str, after: int = 0) -> list[tuple[int, str, str]]:
        return [(int(str(seq)), str(kind), str(body)) for seq, kind, body in await self._rows(q.EVENTS, run_id, after)]

    async def shape(self, digest: str) -> str:
        [[body]] = await self._rows(q.SHAPE, digest)
        return str(body)

    async def claim(
        self, run_id: str, workflows: Sequence[str], owner: Owner, clock: Monotonic, *, may_take: bool
    ) -> Claim | None:
        query, names = _of(workflows, q.CLAIMABLE_RUN)
        values = {**names, "run_id": run_id, "may_take": may_take}

        def find(connection: sqlite3.Connection) -> Row | None:
            row: Row | None = connection.execute(query, {**values, **_lives(owner, clock())}).fetchone()
            return row

        def take(connection: sqlite3.Connection) -> Claim | None:
            row = find(connection)
            if row is None:
                return None
            *claimed, is_ours = row
            return _as_claim(claimed) if is_ours else _take(connection, [claimed], owner)[0]

        found = await self.writer.submit(find, writes=False)
        if found is None:
            return None
        *claimed, is_ours = found
        return _as_claim(claimed) if is_ours else await self.writer.submit(take, writes=True)

    async def claim_orphans(
        self,
        workflows: Sequence[str],
        handlers: Collection[str],
        owner: Owner,
        clock: Monotonic,
        *,
        limit: int,
        leave: Collection[str],
    ) -> list[Claim]:
        orphans, names = _of(workflows, q.ORPHANS)
        undelivered, _ = _of(workflows, q.UNDELIVERED)
        values = {**names, "except": json.dumps(list(leave)), "handlers": json.dumps(list(handlers))}

        def find(connection: sqlite3.Connection) -> list[Row]:
            lives = _lives(owner, clock())
            found = connection.execute(orphans, {**values, **lives, "limit": limit}).fetchall()
            room = limit - len(found)
            return found + connection.execute(undelivered, {**values, **lives, "limit": room}).fetchall()

        return await self._claim_found(find, owner)

    async def claim_overdue(
        self,
        workflows: Sequence[str],
        owner: Owner,
        clock: Monotonic,
        *,
        now: str,
        limit: int,
        leave: Collection[str],
    ) -> list[Claim]:
        query, names = _of(workflows, q.OVERDUE)
        values = {**names, "now": now, "except": json.dumps(list(leave)), "limit": limit}

        def find(connection: sqlite3.Connection) -> list[Row]:
            rows = connection.execute(query, {**values, **_lives(owner, clock())})
            return list(dict.fromkeys(rows))  # a run may have several overdue

        return await self._claim_found(find, owner)

    async def _claim_found(self, find: Callable[[sqlite3.Connection], list[Row]], owner: Owner) -> list[Claim]:
        """Take what a query finds; where it finds nothing, nothing is locked."""
        if not await self.writer.submit(find, writes=False):
            return []
        return await self.writer.submit(lambda c: _take(c, find(c), owner), writes=True)

    async def mark_quiet(self, claim: Claim, owner: Owner, seq: int, delivered_to: str) -> None:
        await self._write(q.MARK_QUIET, delivered_to, claim.run_id, seq, owner.owner_id, claim.epoch)

    async def give_back(self, claim: Claim, owner: Owner) -> None:
        await self._write(q.RELEASE_RUN, claim.run_id, owner.owner_id, claim.epoch)

    async def owner_of(self, run_id: str) -> tuple[str | None, int] | None:
        rows = await self._rows(q.OWNER_OF, run_id)
        return (None if rows[0][0] is None else str(rows[0][0]), int(str(rows[0][1]))) if rows else None

    async def beat(self, owner: Owner, clock: Monotonic) -> float:
        return await self.writer.submit(lambda c: _beat(c, owner, clock), writes=True)

    def keep_beating(self, owner: Owner, clock: Monotonic, every_s: float, beaten: Callable[[float], None]) -> None:
        self.writer.repeat(lambda c: _beat(c, owner, clock), every_s, beaten)

    def stop_beating(self) -> None:
        self.writer.stop_repeating()

    async def owners(self) -> list[Owner]:
        return [
            Owner(
                owner_id=str(owner_id),
                boot_id=str(boot_id),
                pid_namespace=None if namespace is None else str(namespace),
                pid=int(str(pid)),
            )
            for owner_id, boot_id, namespace, pid in await self._rows(q.OWNERS)
        ]

    async def bury(self, owner_id: str) -> None:
        await self._write(q.FORGET_OWNER, owner_id)

    async def release(self, owner_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(q.RELEASE_RUNS, (owner_id,))
            connection.execute(q.FORGET_OWNER, (owner_id,))

        await self.writer.submit(work, writes=True)

    async def noted(self, owner_id: str) -> list[str]:
        return [str(run_id) for (run_id,) in await self._rows(q.NOTED, owner_id)]

    async def clear_note(self, run_id: str, owner_id: str, seq: int) -> None:
        await self._write(q.CLEAR_NOTE, run_id, owner_id, seq)

    async def data_version(self) -> int:
        [[version]] = await self._rows("pragma data_version")
        return int(str(version))

    async def run_of(self, interrupt_id: str) -> str | None:
        rows = await self._rows(q.RUN_OF, interrupt_id)
        return str(rows[0][0]) if rows else None

    async def due(
        self, workflows: Sequence[str], owner_id: str, now: str, *, limit: int, leave: Collection[str]
    ) -> list[tuple[str, str]]:
        query, names = _of(workflows, q.DUE)
        values = {**names, "me": owner_id, "now": now, "except": json.dumps(list(leave)), "limit": limit}
        return [(str(run_id), str(interrupt_id)) for run_id, interrupt_id in await self._rows(query, **values)]

    async def next_deadline(self, workflows: Sequence[str], owner_id: str, now: str, until: str) -> str | None:
        query, names = _of(workflows, q.NEXT_DEADLINE)
        [[deadline]] = await self._rows(query, **names, me=owner_id, now=now, until=until)
        return None if deadline is None else str(deadline)

    async def summary(self, run_id: str) -> RunSummary | None:
        rows = await self._rows(q.SUMMARY, run_id)
        return _summary(rows[0]) if rows else None

    async def list_runs(self, status: RunStatus | None, workflow: str | None, limit: int) -> list[RunSummary]:
        rows = await self._rows(q.LIST_RUNS, status=status, workflow=workflow, limit=limit)
        return [_summary(row) for row in rows]

    async def list_pending(self, run_id: str | None, limit: int) -> list[InterruptRequest]:
        query = q.PENDING_OF_RUN if run_id is not None else q.PENDING
        bodies = await self._rows(query, run_id=run_id, limit=limit)
        found = []
        for (body,) in bodies:
            try:
                found.append(InterruptRequest.model_validate(from_json(str(body))["request"]))
            except ValueError:
                logger.warning(
                    "interrupt is unreadable: a newer spectra-bot stored it, or it is damaged", exc_info=True
                )
        return found

    async def pending_after(self, last: PendingInterrupt | None, limit: int) -> list[PendingInterrupt]:
        since = (last.created_at, last.interrupt_id) if last else ("", "")
        rows = await self._rows(q.PENDING_AFTER, *since, limit)
        return [PendingInterrupt(str(created_at), str(interrupt), str(run)) for created_at, interrupt, run in rows]

    async def attempts(self, run_id: str) -> dict[AttemptKey, Attempt]:
        rows = await self._rows(q.ATTEMPTS, run_id)
        return {
            (str(interrupt_id), str(handler), str(purpose)): Attempt(
                attempts=int(str(count)), next_attempt_at=str(next_at), last_error=str(error)
            )
            for interrupt_id, handler, purpose, count, next_at, error in rows
        }

    async def failed_attempt(self, run_id: str, key: AttemptKey, attempt: Attempt) -> None:
        await self._write(q.FAILED_ATTEMPT, *key, run_id, attempt.attempts, attempt.next_attempt_at, attempt.last_error)

    async def forget_attempts(self, key: AttemptKey) -> None:
        await self._write(q.FORGET_ATTEMPTS, *key)

    async def _rows(self, query: str, *values: object, **named: object) -> list[Row]:
        def work(connection: sqlite3.Connection) -> list[Row]:
            return connection.execute(query, named or values).fetchall()

        return await self.writer.submit(work, writes=False)

    async def _write(self, query: str, *values: object) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, values).rowcount

        return await self.writer.submit(work, writes=True)


def _run_row(change: Change) -> Row:
    return *_moved(change), change.status, change.is_open, change.delivered_to, change.error


def _moved(change: Change) -> Row:
    return change.expected_seq + len(change.events), change.updated_at


def _write_rows(connection: sqlite3.Connection, change: Change) -> None:
    first = change.expected_seq + 1
    connection.executemany(
        q.ADD_EVENT,
        [(change.run_id, first + index, kind, body) for index, (kind, body) in enumerate(change.events)],
    )
    for opened in change.opened:
        seq = first + opened.event
        row = (opened.interrupt_id, change.run_id, opened.workflow, seq, opened.created_at, opened.deadline)
        connection.execute(q.OPEN_INTERRUPT, row)
    for closed in change.closed:
        connection.execute(q.CLOSE_INTERRUPT, (closed.status, closed.interrupt_id))


def _of(workflows: Sequence[str], query: str) -> tuple[str, dict[str, object]]:
    """A query of these workflows, and their names as its values; a list of values, that an index can be asked for."""
    names: dict[str, object] = {f"w{index}": name for index, name in enumerate(workflows)}
    return query.replace(":workflows", ", ".join(f":{name}" for name in names)), names


def _lives(owner: Owner, now: float) -> dict[str, object]:
    since, until = now - owner.lease_s, now + owner.lease_s
    return {"me": owner.owner_id, "boot_id": owner.boot_id, "since": since, "until": until}


def _beat(connection: sqlite3.Connection, owner: Owner, clock: Monotonic) -> float:
    now = clock()
    connection.execute(q.BEAT, (owner.owner_id, owner.boot_id, owner.pid_namespace, owner.pid, now))
    return now


def _take(connection: sqlite3.Connection, found: Sequence[Sequence[object]], owner: Owner) -> list[Claim]:
    connection.executemany(q.TAKE_RUN, [(owner.owner_id, run_id) for run_id, *_ in found])
    return [_as_claim(row, taken=True) for row in found]


def _as_claim(row: Sequence[object], *, taken: bool = False) -> Claim:
    run_id, epoch, seq, delivered_to, crashed = row
    return Claim(
        run_id=str(run_id),
        epoch=int(str(epoch)) + taken,
        seq=int(str(seq)),
        delivered_to=None if delivered_to is None else str(delivered_to),
        crashed=taken and bool(crashed),
    )


def _summary(row: Row) -> RunSummary:
    run_id, workflow, status, requested_by, created_at, updated_at, error, pending = row
    return RunSummary.model_validate(
        {
            "run_id": run_id,
            "workflow": workflow,
            "status": status,
            "requested_by": requested_by,
            "created_at": created_at,
            "updated_at": updated_at,
            "error": error,
            "pending": pending,
        }
    )
