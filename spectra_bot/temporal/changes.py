"""Changes what people may change of a run: each is an Update, judged in the run, and made again where it must be."""

from __future__ import annotations

import contextlib
import secrets
from typing import Protocol

from spectra_bot.clock import Clock
from spectra_bot.engine.proposals import propose_retry
from spectra_bot.errors import NotPendingError, NotRecordedError, RunFinishedError, UnknownInterruptError
from spectra_bot.interrupts import InterruptResponse
from spectra_bot.json_values import digest, encode
from spectra_bot.machine import RunState
from spectra_bot.policy import judge
from spectra_bot.runs import RunResult
from spectra_bot.temporal.beginning import IdTakenError
from spectra_bot.temporal.calls import RunCalls, RunClosedError
from spectra_bot.temporal.limits import MAX_LOG_BYTES
from spectra_bot.temporal.listing import Listing
from spectra_bot.temporal.messages import Answered, Entry, Events, RunInput, entry_of
from spectra_bot.temporal.record import Record

MAX_TRIES = 5
"""How often a change is made again where its run was closed meanwhile, to go on in a new execution say."""


class Begin(Protocol):
    """See `Beginning.begin`."""

    async def __call__(self, events: Events, *, closed: str | None = None) -> int: ...


class Changes:
    """Makes changes to runs; each is durable when its coroutine returns.

    Args:
        begin: takes up a run that is closed in Temporal.
        has_place: what is large goes to a place beside Temporal.
    """

    def __init__(self, calls: RunCalls, listing: Listing, clock: Clock, begin: Begin, *, has_place: bool) -> None:
        self._calls = calls
        self._listing = listing
        self._clock = clock
        self._begin = begin
        self._max_log = None if has_place else MAX_LOG_BYTES

    async def answer(self, run_id: str, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        """The decision as it is stored.

        Raises:
            AnswerError: it was refused; says why.
            RunNotFoundError: no such run.
            NotRecordedError: no worker took it; the same answer may be given again, and counts once.
        """
        call_id = secrets.token_hex(8)
        # The same answer is the same Update: one that came to no outcome may be given again, and counts once.
        update_id = digest([interrupt_id, response.model_dump(mode="json")])
        for _ in range(MAX_TRIES):
            with contextlib.suppress(RunClosedError):
                answered: Answered = await self._calls.change(
                    run_id,
                    "answer",
                    [interrupt_id, response, call_id],
                    update_id=update_id,
                    result_type=Answered,
                )
                self._listing.note(run_id, answered.seq)
                if answered.call_id == call_id:
                    return answered.response
            # It is over, or was answered so before; the question may have changed since.
            interrupt = (await self._state(run_id)).interrupts.get(interrupt_id)
            if interrupt is None:
                raise UnknownInterruptError(interrupt_id)
            if interrupt.response is not None:
                return judge(interrupt, response, self._clock.now())
            if (why := await self._calls.ended_from_outside(run_id)) is not None:
                raise NotPendingError(
                    f"interrupt {interrupt_id} is over: its run was {why} in Temporal from outside, and does not go on",
                    run_id=run_id,
                    interrupt_id=interrupt_id,
                )
        raise NotRecordedError(run_id)

    async def cancel(self, run_id: str, by: str | None, reason: str) -> None:
        """End a run by someone's will.

        Raises:
            RunNotFoundError: no such run.
            RunFinishedError: it is over.
            NotRecordedError: no worker took it.
        """
        update_id = secrets.token_hex(16)
        for _ in range(MAX_TRIES):
            with contextlib.suppress(RunClosedError):
                seq = await self._calls.change(run_id, "cancel", [by, reason], update_id=update_id, result_type=int)
                self._listing.note(run_id, seq)
                return
            result: RunResult = await self._calls.ask(run_id, "result", result_type=RunResult)
            if result.status.over:
                raise RunFinishedError(run_id, result.status, "nothing to cancel")
            await self._refuse_ended(run_id)
        raise NotRecordedError(run_id)

    async def retry(self, run_id: str, from_step: str | None, by: str | None) -> None:
        """Take up a failed run.

        Raises:
            RunNotFoundError: no such run.
            RetryRefusedError: it can't be retried, or not from there.
            UnknownStepError: it has no such step.
            PayloadTooLargeError: its log is too large to start it again.
            NotRecordedError: no worker took it.
        """
        for _ in range(MAX_TRIES):
            if await self._retried(run_id, from_step, by):
                return
        raise NotRecordedError(run_id)

    async def _retried(self, run_id: str, from_step: str | None, by: str | None) -> bool:
        """Retry a run; False where it was closed, or another retry was first, between our look and our change."""
        try:
            seq = await self._calls.change(
                run_id, "retry", [from_step, by], update_id=secrets.token_hex(16), result_type=int
            )
            self._listing.note(run_id, seq)
        except RunClosedError:
            await self._refuse_ended(run_id)
            closed = await self._calls.newest(run_id)
            events = await self._events(run_id, closed)
            proposed, _ = propose_retry(from_step, by, self._clock)(_state_of(events))
            entries: list[Entry] = [*events.entries, *(entry_of(event) for event in proposed)]
            encode(entries, f"the log of run {run_id}", self._max_log)
            try:
                seq = await self._begin(Events(shape=events.shape, entries=entries), closed=closed)
            except IdTakenError:
                return False
            self._listing.note(run_id, seq)
        return True

    async def _refuse_ended(self, run_id: str) -> None:
        if (why := await self._calls.ended_from_outside(run_id)) is not None:
            raise RunFinishedError(run_id, f"{why} in Temporal from outside", "it does not go on; start another")

    async def _state(self, run_id: str) -> RunState:
        return _state_of(await self._events(run_id))

    async def _events(self, run_id: str, execution: str | None = None) -> Events:
        events: Events = await self._calls.ask(run_id, "events", execution=execution, result_type=Events)
        return events


def _state_of(events: Events) -> RunState:
    return Record(RunInput(shape=events.shape, entries=events.entries, lease_s=0.0, first_turn_s=0.0)).state
