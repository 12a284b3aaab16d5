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
from spectra_bot.store import appending, claiming
from spectra_bot.store import queries as q
from spectra_bot.store.connection import open_database
from spectra_bot.store.records import (
    Attempt,
    AttemptKey,
    Change,
    Claim,
    Monotonic,
    NewRun,
    Owner,
    PendingInterrupt,
    Row,
)
from spectra_bot.store.writer import Writer

logger = logging.getLogger(__name__)


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
        return await self.writer.submit(lambda c: appending.create(c, run, change, owner_id), writes=True)

    async def append(self, change: Change, *, owner_id: str, epoch: int) -> bool:
        return await self.writer.submit(lambda c: appending.append(c, change, owner_id, epoch), writes=True)

    async def append_from_outside(self, change: Change) -> bool:
        return await self.writer.submit(lambda c: appending.append_from_outside(c, change), writes=True)

    async def events(self, run_id: str, after: int = 0) -> list[tuple[int, str, str]]:
        return [(int(str(seq)), str(kind), str(body)) for seq, kind, body in await self._rows(q.EVENTS, run_id, after)]

    async def shape(self, digest: str) -> str:
        [[body]] = await self._rows(q.SHAPE, digest)
        return str(body)

    async def claim(
        self, run_id: str, workflows: Sequence[str], owner: Owner, clock: Monotonic, *, may_take: bool
    ) -> Claim | None:
        return await claiming.claim(self.writer, run_id, workflows, owner, clock, may_take=may_take)

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
        return await claiming.claim_orphans(self.writer, workflows, handlers, owner, clock, limit=limit, leave=leave)

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
        return await claiming.claim_overdue(self.writer, workflows, owner, clock, now=now, limit=limit, leave=leave)

    async def mark_quiet(self, claim: Claim, owner: Owner, seq: int, delivered_to: str) -> None:
        await self._write(q.MARK_QUIET, delivered_to, claim.run_id, seq, owner.owner_id, claim.epoch)

    async def give_back(self, claim: Claim, owner: Owner) -> None:
        await self._write(q.RELEASE_RUN, claim.run_id, owner.owner_id, claim.epoch)

    async def owner_of(self, run_id: str) -> tuple[str | None, int] | None:
        rows = await self._rows(q.OWNER_OF, run_id)
        return (None if rows[0][0] is None else str(rows[0][0]), int(str(rows[0][1]))) if rows else None

    async def beat(self, owner: Owner, clock: Monotonic) -> float:
        return await self.writer.submit(lambda c: claiming.beat(c, owner, clock), writes=True)

    def keep_beating(self, owner: Owner, clock: Monotonic, every_s: float, beaten: Callable[[float], None]) -> None:
        self.writer.repeat(lambda c: claiming.beat(c, owner, clock), every_s, beaten)

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
        query, names = q.of_workflows(workflows, q.DUE)
        values = {**names, "me": owner_id, "now": now, "except": json.dumps(list(leave)), "limit": limit}
        return [(str(run_id), str(interrupt_id)) for run_id, interrupt_id in await self._rows(query, **values)]

    async def next_deadline(self, workflows: Sequence[str], owner_id: str, now: str, until: str) -> str | None:
        query, names = q.of_workflows(workflows, q.NEXT_DEADLINE)
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
