"""What a change of a run does to the file: the log grows, and the rows beside it follow."""

from __future__ import annotations

import sqlite3

from spectra_bot.store import queries as q
from spectra_bot.store.records import Change, NewRun, Row


def create(connection: sqlite3.Connection, run: NewRun, change: Change, owner_id: str) -> bool:
    """Store a run that begins; False if the id is taken."""
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
    write_rows(connection, change)
    return True


def append(connection: sqlite3.Connection, change: Change, owner_id: str, epoch: int) -> bool:
    """Store what the owner did; False if it owns the run no more, or the log has grown."""
    query, row = q.APPEND_AS_OWNER_ONLY, _moved(change)
    if change.is_turn:
        query, row = q.APPEND_AS_OWNER, run_row(change)
    if connection.execute(query, (*row, change.run_id, change.expected_seq, owner_id, epoch)).rowcount == 0:
        return False
    write_rows(connection, change)
    return True


def append_from_outside(connection: sqlite3.Connection, change: Change) -> bool:
    """Store what someone else did, with a note to the owner; False if the log has grown."""
    row = (*run_row(change), change.run_id, change.expected_seq)
    if connection.execute(q.APPEND_FROM_OUTSIDE, row).rowcount == 0:
        return False
    write_rows(connection, change)
    return True


def run_row(change: Change) -> Row:
    """The run's own row after a change, as the queries set it."""
    return *_moved(change), change.status, change.is_open, change.delivered_to, change.error


def _moved(change: Change) -> Row:
    return change.expected_seq + len(change.events), change.updated_at


def write_rows(connection: sqlite3.Connection, change: Change) -> None:
    """Add the events, and open and close the interrupts that they tell of."""
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
