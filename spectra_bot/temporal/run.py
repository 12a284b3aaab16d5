"""A run on Temporal: one workflow that holds the machine's state, for every graph that users draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from spectra_bot.clock import Clock
from spectra_bot.engine.proposals import (
    Propose,
    propose_answer,
    propose_cancel,
    propose_loss,
    propose_retry,
)
from spectra_bot.engine.reconciler import Standing, standing_of
from spectra_bot.engine.views import details_of, interrupt_record, result_of
from spectra_bot.errors import SpectraError, UnknownInterruptError
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.machine import events as e
from spectra_bot.runs import InterruptRecord, RunDetails, RunResult, RunStatus
from spectra_bot.store import Attempt
from spectra_bot.temporal.commands import RunCommands
from spectra_bot.temporal.limits import MAX_LOG_BYTES
from spectra_bot.temporal.messages import (
    SPECTRA_RUN,
    Answered,
    Entry,
    Events,
    KeptEffect,
    Rest,
    RunInput,
    StepOutcome,
    event_of,
)
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.refusals import refusal
from spectra_bot.temporal.renewing import Renewing
from spectra_bot.temporal.visibility import Listed, Shown, listed, show, shown_of

RUN_FAILED = "RunFailed"
"""The type of the error with which a failed run ends, so that it can be started again under its id."""


class TemporalTimes:
    """Time as Temporal tells it: the same in each replay. A `Clock`, as far as the judge needs one."""

    def now(self) -> datetime:
        return workflow.now()

    def monotonic(self) -> float:
        return workflow.time()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            await workflow.sleep(seconds)


@workflow.defn(name=SPECTRA_RUN)
class SpectraRun:
    """Stores first and carries out second: what happens is an entry of the log, and what it asks for follows.

    No code of users runs here: the graph is data, and steps, conditions and handlers are activities. Without a
    `versioning_behavior` here: a worker without a version would fail each of its tasks without a word.
    """

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        self._given = given
        self._record = Record(given)
        self.times = self.make_times()
        self._commands = RunCommands(
            self._record,
            times=self.times,
            given=given,
            store=self._store,
            expire=self._expire,
        )
        self._renewing = Renewing(given, self._record, self._commands)
        self._shown: Shown = shown_of(self._record.state)  # as it was begun, or as its last execution left it

    def make_times(self) -> Clock:
        """The time that this run goes by."""
        return TemporalTimes()

    @workflow.run
    async def run(self, _given: RunInput) -> RunResult:
        """Carry the run on until it is over and all that it left to do is done.

        Raises:
            ApplicationError: it failed; its id may be used again, for a retry.
        """
        self._commands.reconcile()
        while not self._is_done():
            self._show()
            self._renewing.renew_if_due()
            await workflow.wait_condition(
                lambda: (
                    self._is_done()
                    or self._commands.broken is not None
                    or self._needs_showing()
                    or self._renewing.is_due
                )
            )
            if self._commands.broken is not None:
                raise self._commands.broken
        self._show()
        state = self._record.state
        if state.status is RunStatus.FAILED:
            raise ApplicationError(state.error or "failed", type=RUN_FAILED, non_retryable=True)
        return self._told()

    # Changes that people make: judged before anything is stored, so that a refusal leaves no trace.

    @workflow.update
    def answer(self, interrupt_id: str, response: InterruptResponse, call_id: str) -> Answered:
        """Store a decision."""
        stored = self._submit(self._answering(interrupt_id, response))
        return Answered(response=stored, call_id=call_id, seq=len(self._record.entries))

    @answer.validator
    def _judge_answer(self, interrupt_id: str, response: InterruptResponse, call_id: str) -> None:
        self._judge(self._answering(interrupt_id, response))

    @workflow.update
    def cancel(self, by: str | None, reason: str) -> int:
        """End the run by someone's will."""
        self._submit(propose_cancel(by, reason, self.times))
        return len(self._record.entries)

    @cancel.validator
    def _judge_cancel(self, by: str | None, reason: str) -> None:
        self._judge(propose_cancel(by, reason, self.times))

    @workflow.update
    def retry(self, from_step: str | None, by: str | None) -> int:
        """Take a failed run up again that still has something to tell or to clean up."""
        self._submit(propose_retry(from_step, by, self.times))
        return len(self._record.entries)

    @retry.validator
    def _judge_retry(self, from_step: str | None, by: str | None) -> None:
        self._judge(propose_retry(from_step, by, self.times))

    # What activities tell while they are under way.

    @workflow.signal
    def happened(self, entry: Entry) -> None:
        """Store what a step did to the world, before the step is told so."""
        self._store([event_of(entry)])

    @workflow.signal
    def left(self, outcome: StepOutcome) -> None:
        """A step's code has ended, and effects of it are under way."""
        self._commands.leave(outcome)

    @workflow.signal
    def had_turn(self, interrupt_id: str, handler: str) -> None:
        """A handler has failed for the first time, so the next one is asked beside it."""
        self._commands.handlers.had_turns.add((interrupt_id, handler))

    @workflow.signal
    def lost(self, interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue]) -> None:
        """What a handler delivered is gone."""
        if interrupt_id in self._record.state.interrupts:
            events, _ = propose_loss(interrupt_id, handler, receipt, self.times)(self._record.state)
            self._store(events)

    # Looking.

    @workflow.query
    def rest(self) -> Rest:
        """Whether it rests."""
        state = self._record.state
        return Rest(
            status=state.status,
            is_ending=self._commands.is_ending,
            is_asking=not self._commands.handlers.all_asked(),
            seq=len(self._record.entries),
            result=None if state.status is RunStatus.RUNNING else result_of(state),
        )

    @workflow.query
    def executes(self, activity_id: str) -> bool:
        """An activity's execution of a step still counts."""
        return activity_id in self._commands.steps.executing

    @workflow.query
    def effect(self, step: str, visit: int, key: str) -> KeptEffect | None:
        """What is stored of an effect; None while nothing is."""
        node = self._record.state.nodes[step]
        if node.visit != visit or key not in node.once:
            return None
        return KeptEffect(value=node.once[key], problem=node.spoiled.get(key))

    @workflow.query
    def result(self) -> RunResult:
        """The run as it stands."""
        return result_of(self._record.state)

    @workflow.query
    def listed(self) -> Listed:
        """The run as lists show it."""
        return listed(self._record.state, len(self._record.entries))

    @workflow.query
    def questions(self) -> Sequence[InterruptRequest]:
        """What waits for an answer, however large it is."""
        return [interrupt.request for interrupt in self._record.state.pending()]

    @workflow.query
    def details(self, failing: Mapping[str, Attempt]) -> RunDetails:
        """The run with its steps and interrupts.

        Args:
            failing: what Temporal says of each activity that is tried again, by its id.
        """
        commands = self._commands
        return details_of(self._record.state, commands.handlers.attempts(failing), commands.steps.put_off)

    @workflow.query
    def interrupt(self, interrupt_id: str, failing: Mapping[str, Attempt]) -> InterruptRecord | None:
        """One interrupt of the run."""
        if interrupt_id not in self._record.state.interrupts:
            return None
        return interrupt_record(self._record.state, interrupt_id, self._commands.handlers.attempts(failing))

    @workflow.query
    def standing(self, interrupt_id: str) -> Standing | None:
        """What stands of a question; None where it is over."""
        interrupt = self._record.state.interrupts.get(interrupt_id)
        return standing_of(interrupt) if interrupt is not None else None

    @workflow.query
    def events(self) -> Events:
        """All that has happened."""
        return Events(shape=self._record.shape, entries=self._record.entries)

    def _answering(self, interrupt_id: str, response: InterruptResponse) -> Propose:
        if interrupt_id not in self._record.state.interrupts:
            raise refusal(UnknownInterruptError(interrupt_id))
        return propose_answer(interrupt_id, response, self.times)

    def _judge(self, propose: Propose) -> None:
        """Refuse a change that would store nothing."""
        try:
            events, outcome = propose(self._record.state)
        except SpectraError as error:
            raise refusal(error) from error
        if not events and isinstance(outcome, SpectraError):
            raise refusal(outcome)

    def _submit(self, propose: Propose) -> Any:
        """Store a change; what it could not is an update that fails, and no workflow task."""
        try:
            events, outcome = propose(self._record.state)
        except SpectraError as error:
            raise refusal(error) from error
        self._store(events)
        if isinstance(outcome, SpectraError):
            raise refusal(outcome)
        return outcome

    def _store(self, events: Sequence[e.Event]) -> None:
        if self._record.add(events):
            self._commands.reconcile()

    def _expire(self, interrupt_id: str, at: datetime) -> None:
        state = self._record.state
        if state.interrupts[interrupt_id].response is None:
            self._store([e.InterruptExpired(at=max(at, state.updated_at), interrupt_id=interrupt_id)])

    def _told(self) -> RunResult:
        """The result as Temporal shows it, without the outputs where Temporal would not take them."""
        result = result_of(self._record.state)
        fits = self._given.has_place or len(to_json(result)) <= MAX_LOG_BYTES
        return result if fits else result.model_copy(update={"outputs": {}})

    def _is_done(self) -> bool:
        return self._record.state.status.over and not self._commands.is_busy

    def _needs_showing(self) -> bool:
        return self._shown != shown_of(self._record.state)

    def _show(self) -> None:
        """Have the run found in lists as it stands."""
        shown = shown_of(self._record.state)
        if shown != self._shown:
            self._shown = shown
            show(self._record.state, len(self._record.entries))
