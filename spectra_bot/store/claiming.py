"""Runs that change hands: found in the file, and taken by a process that lives."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence

from spectra_bot.store import queries as q
from spectra_bot.store.records import Claim, Monotonic, Owner, Row
from spectra_bot.store.writer import Writer


async def claim(
    writer: Writer, run_id: str, workflows: Sequence[str], owner: Owner, clock: Monotonic, *, may_take: bool
) -> Claim | None:
    """As the port has it; a run that is ours already locks nothing."""
    query, names = q.of_workflows(workflows, q.CLAIMABLE_RUN)
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

    found = await writer.submit(find, writes=False)
    if found is None:
        return None
    *claimed, is_ours = found
    return _as_claim(claimed) if is_ours else await writer.submit(take, writes=True)


async def claim_orphans(
    writer: Writer,
    workflows: Sequence[str],
    handlers: Collection[str],
    owner: Owner,
    clock: Monotonic,
    *,
    limit: int,
    leave: Collection[str],
) -> list[Claim]:
    """As the port has it."""
    orphans, names = q.of_workflows(workflows, q.ORPHANS)
    undelivered, _ = q.of_workflows(workflows, q.UNDELIVERED)
    values = {**names, "except": json.dumps(list(leave)), "handlers": json.dumps(list(handlers))}

    def find(connection: sqlite3.Connection) -> list[Row]:
        lives = _lives(owner, clock())
        found = connection.execute(orphans, {**values, **lives, "limit": limit}).fetchall()
        room = limit - len(found)
        return found + connection.execute(undelivered, {**values, **lives, "limit": room}).fetchall()

    return await _claim_found(writer, find, owner)


async def claim_overdue(
    writer: Writer,
    workflows: Sequence[str],
    owner: Owner,
    clock: Monotonic,
    *,
    now: str,
    limit: int,
    leave: Collection[str],
) -> list[Claim]:
    """As the port has it."""
    query, names = q.of_workflows(workflows, q.OVERDUE)
    values = {**names, "now": now, "except": json.dumps(list(leave)), "limit": limit}

    def find(connection: sqlite3.Connection) -> list[Row]:
        rows = connection.execute(query, {**values, **_lives(owner, clock())})
        return list(dict.fromkeys(rows))  # a run may have several overdue

    return await _claim_found(writer, find, owner)


async def _claim_found(writer: Writer, find: Callable[[sqlite3.Connection], list[Row]], owner: Owner) -> list[Claim]:
    """Take what a query finds; where it finds nothing, nothing is locked."""
    if not await writer.submit(find, writes=False):
        return []
    return await writer.submit(lambda c: _take(c, find(c), owner), writes=True)


def beat(connection: sqlite3.Connection, owner: Owner, clock: Monotonic) -> float:
    """Say that an owner lives, at the time that is returned."""
    now = clock()
    connection.execute(q.BEAT, (owner.owner_id, owner.boot_id, owner.pid_namespace, owner.pid, now))
    return now


def _lives(owner: Owner, now: float) -> dict[str, object]:
    since, until = now - owner.lease_s, now + owner.lease_s
    return {"me": owner.owner_id, "boot_id": owner.boot_id, "since": since, "until": until}


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
