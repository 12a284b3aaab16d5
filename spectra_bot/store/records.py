"""What is handed to a store, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spectra_bot.runs import RunStatus

Row = tuple[object, ...]
"""What stands in one row of the file."""

StoredEvent = tuple[str, str]
"""One event as (kind, body); its number follows from its place in the append."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedInterrupt:
    """A new pending interrupt; `event` is the index, in its append, of the event that holds the request."""

    interrupt_id: str
    workflow: str
    event: int
    created_at: str
    deadline: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedInterrupt:
    """A pending interrupt that is over now."""

    interrupt_id: str
    status: str


class Change(NamedTuple):
    """What one append stores in one transaction: events, and the rows that show them.

    A named tuple, for one is made with each step and it costs a quarter of a frozen dataclass.
    """

    run_id: str
    expected_seq: int
    """How many events of the run the writer has seen; with more in the store the append is refused."""
    events: Sequence[StoredEvent]
    status: RunStatus
    is_open: bool
    """Something is left to do: a step, a question, a message to close."""
    error: str | None
    updated_at: str
    delivered_to: str | None = None
    """Where the run only waits for people: the handlers to which each of its questions was delivered, as JSON."""
    is_turn: bool = True
    """The status, whether it is open, to whom it was delivered, or the error is another than before."""
    opened: Sequence[OpenedInterrupt] = ()
    closed: Sequence[ClosedInterrupt] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """The row of a run that begins."""

    workflow: str
    requested_by: str | None
    created_at: str
    shape_digest: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that this owner owns now; `crashed` where its last owner died with what is under way."""

    run_id: str
    epoch: int
    seq: int
    """How many events it had."""
    delivered_to: str | None
    """As `Change` has it."""
    crashed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How often an outbox entry was tried without success, and when it is due again."""

    attempts: int
    next_attempt_at: str
    last_error: str


Monotonic = Callable[[], float]
"""Seconds that never jump, comparable between the processes of one boot."""

AttemptKey = tuple[str, str, str]
"""Interrupt id, handler, and what for: `deliver`, `check`, `settle`, `conclude`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that owns runs: alive while its beat is younger than the lease."""

    owner_id: str
    boot_id: str
    pid_namespace: str | None
    """Where `pid` means something; None where nothing is known of that."""
    pid: int
    lease_s: float = 0.0


class PendingInterrupt(NamedTuple):
    """A pending interrupt as the store lists it; such values sort by age."""

    created_at: str
    interrupt_id: str
    run_id: str
