"""What an engine needs of a place that keeps runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from spectra_bot.interrupts import InterruptRequest
from spectra_bot.runs import RunStatus, RunSummary
from spectra_bot.store.records import Attempt, AttemptKey, Change, Claim, Monotonic, NewRun, Owner, PendingInterrupt


class Store(Protocol):
    """Keeps runs as event logs, with rows beside them for lists and claims. Each verb is one transaction."""

    async def create(self, run: NewRun, change: Change, owner_id: str) -> bool:
        """Store a run that begins, owned; False if the id is taken."""
        ...

    async def append(self, change: Change, *, owner_id: str, epoch: int) -> bool:
        """Store what an owner did; False if the log has grown since, or the run has another owner by now."""
        ...

    async def append_from_outside(self, change: Change) -> bool:
        """Store what someone else than the owner did, and leave the owner a note; False if the log has grown."""
        ...

    async def events(self, run_id: str, after: int = 0) -> list[tuple[int, str, str]]:
        """The events of a run past a number, as (seq, kind, body)."""
        ...

    async def shape(self, digest: str) -> str:
        """The stored shape of a digest."""
        ...

    async def claim(
        self, run_id: str, workflows: Sequence[str], owner: Owner, clock: Monotonic, *, may_take: bool
    ) -> Claim | None:
        """A run of these workflows that is ours already, or has no live owner and may be taken; None if it is neither.

        The clock is read inside the transaction, which may have waited for another program's.
        """
        ...

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
        """Take the open runs of these workflows that have no live owner and need one, oldest first, but for some.

        A run that only waits for people needs none while its questions are delivered to all these handlers.
        """
        ...

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
        """Take the runs of these workflows that have no live owner and an overdue interrupt, but for some."""
        ...

    async def mark_quiet(self, claim: Claim, owner: Owner, seq: int, delivered_to: str) -> None:
        """Say of an owned run, as it is after so many events, that it only waits for people."""
        ...

    async def owner_of(self, run_id: str) -> tuple[str | None, int] | None:
        """Owner id and epoch of a run; None if there is no such run."""
        ...

    async def beat(self, owner: Owner, clock: Monotonic) -> float:
        """Say that an owner lives; returns the time that was stored."""
        ...

    def keep_beating(self, owner: Owner, clock: Monotonic, every_s: float, beaten: Callable[[float], None]) -> None:
        """Beat from now on, also while the event loop stands still.

        Args:
            beaten: told the stored time after each beat, on the store's own thread.
        """
        ...

    def stop_beating(self) -> None:
        """Beat no more."""
        ...

    async def give_back(self, claim: Claim, owner: Owner) -> None:
        """Give up one run that was claimed."""
        ...

    async def owners(self) -> list[Owner]:
        """Every owner that has said it lives, and has not gone cleanly."""
        ...

    async def release(self, owner_id: str) -> None:
        """Give up all runs of an owner, which goes; its name is forgotten."""
        ...

    async def bury(self, owner_id: str) -> None:
        """Forget an owner that died: its runs have no live owner from now on."""
        ...

    async def noted(self, owner_id: str) -> list[str]:
        """The owned runs to which someone else has appended, until the owner appends or clears the note."""
        ...

    async def clear_note(self, run_id: str, owner_id: str, seq: int) -> None:
        """Say that the owner has seen that many events; a later one leaves a note of its own."""
        ...

    async def data_version(self) -> int:
        """A number that changes when another process has committed."""
        ...

    async def run_of(self, interrupt_id: str) -> str | None:
        """The run that an interrupt belongs to."""
        ...

    async def due(
        self, workflows: Sequence[str], owner_id: str, now: str, *, limit: int, leave: Collection[str]
    ) -> list[tuple[str, str]]:
        """Overdue pending interrupts of owned runs of these workflows, but for some, as (run id, interrupt id)."""
        ...

    async def next_deadline(self, workflows: Sequence[str], owner_id: str, now: str, until: str) -> str | None:
        """When the next pending interrupt of an owned run of these workflows is due, if it is until then."""
        ...

    async def summary(self, run_id: str) -> RunSummary | None:
        """One run's line."""
        ...

    async def list_runs(self, status: RunStatus | None, workflow: str | None, limit: int) -> list[RunSummary]:
        """The newest runs first."""
        ...

    async def list_pending(self, run_id: str | None, limit: int) -> list[InterruptRequest]:
        """The pending interrupts, oldest first."""
        ...

    async def pending_after(self, last: PendingInterrupt | None, limit: int) -> list[PendingInterrupt]:
        """The pending interrupts that follow one, oldest first; without one, from the oldest on."""
        ...

    async def attempts(self, run_id: str) -> dict[AttemptKey, Attempt]:
        """What the outbox has tried in vain for a run."""
        ...

    async def failed_attempt(self, run_id: str, key: AttemptKey, attempt: Attempt) -> None:
        """Keep a failed try of the outbox."""
        ...

    async def forget_attempts(self, key: AttemptKey) -> None:
        """Forget the failed tries of what does not fail any more."""
        ...
