"""Runs that are over and old, taken out of the file beside whoever serves it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spectra_bot.clock import to_text
from spectra_bot.errors import StoreError
from spectra_bot.runs import RunStatus
from spectra_bot.store import queries as q
from spectra_bot.store.connection import open_database
from spectra_bot.store.faults import in_words

FIRST_BATCH = 16
BATCH_S = 0.05
"""How long one batch is meant to hold the file; the next waits as long, so that others get their turn."""
OVER = frozenset(status for status in RunStatus if status.over)
"""Only runs that are over are pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, or would be."""

    runs: Mapping[RunStatus, int]
    events: int = 0
    shapes: int = 0
    """Graphs on which no run is left."""
    size_bytes: int
    """The file's size afterwards."""
    free_bytes: int
    """As much of it is empty, and is filled by new runs."""


def prune(
    database: Path,
    *,
    ended_before: datetime,
    statuses: Collection[RunStatus] = OVER,
    is_trial: bool = False,
    vacuums: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Pruned:
    """Remove the runs that were over before a moment and for which nothing is left to do, with all that is theirs.

    In batches, each a transaction of its own: a process that serves meanwhile waits for no more than one.

    Args:
        is_trial: count, and remove nothing.
        vacuums: give the room back to the disk, which holds up every other writer meanwhile.

    Raises:
        StoreError: the disk or the database is at fault; what was removed by then stays removed.
    """
    wanted = {"statuses": json.dumps(sorted(OVER & set(statuses))), "before": to_text(ended_before)}
    connection = open_database(str(database), read_only=is_trial).conn
    try:
        ended = connection.execute(q.ENDED_RUNS, wanted).fetchall()
        if is_trial:
            return _pruned(connection, Counter(RunStatus(status) for _, status in ended))
        runs, events = _remove([run_id for run_id, _ in ended], connection, wanted, pause)
        shapes = _remove_unused_shapes(connection)
        if vacuums:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        return _pruned(connection, runs, events=events, shapes=shapes)
    except sqlite3.Error as error:
        raise StoreError(f"database {database}: {in_words(error)}") from error
    finally:
        connection.close()


def _remove(
    run_ids: list[str], connection: sqlite3.Connection, wanted: Mapping[str, str], pause: Callable[[float], None]
) -> tuple[Counter[RunStatus], int]:
    runs: Counter[RunStatus] = Counter()
    events = 0
    size = FIRST_BATCH
    while run_ids:
        batch, run_ids = run_ids[:size], run_ids[size:]
        began = time.monotonic()
        with _transaction(connection):
            # A run that was set going again since it was found is left alone.
            gone = connection.execute(q.PRUNE_RUNS, {**wanted, "runs": json.dumps(batch)}).fetchall()
            of = (json.dumps([run_id for run_id, _ in gone]),)
            events += connection.execute(q.PRUNE_EVENTS, of).rowcount
            connection.execute(q.PRUNE_INTERRUPTS, of)
            connection.execute(q.PRUNE_ATTEMPTS, of)
        runs.update(RunStatus(status) for _, status in gone)
        took = max(time.monotonic() - began, 0.001)
        size = max(1, int(size * min(BATCH_S / took, 2)))
        if run_ids:
            pause(max(took, BATCH_S))
    return runs, events


def _remove_unused_shapes(connection: sqlite3.Connection) -> int:
    """Looked for first: to look takes a while with many runs, and mostly there are none."""
    if not connection.execute(q.UNUSED_SHAPES).fetchall():
        return 0
    with _transaction(connection):
        return connection.execute(q.PRUNE_SHAPES).rowcount


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _pruned(
    connection: sqlite3.Connection, runs: Mapping[RunStatus, int], *, events: int = 0, shapes: int = 0
) -> Pruned:
    pages, free, size = (
        int(connection.execute(f"pragma {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return Pruned(runs=runs, events=events, shapes=shapes, size_bytes=pages * size, free_bytes=free * size)
