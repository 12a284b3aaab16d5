"""Answers, cancellations and retries as proposals: judged on the newest state, wherever that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.errors import (
    AmbiguousInterruptError,
    AnswerError,
    InvalidJsonError,
    NotPendingError,
    RunFinishedError,
)
from spectra_bot.interrupts import InterruptResponse
from spectra_bot.json_values import to_json_value
from spectra_bot.machine import InterruptState, RunState, apply, begun_anew
from spectra_bot.machine import events as e
from spectra_bot.policy import judge
from spectra_bot.runs import RunResult, RunStatus

Propose = Callable[[RunState], tuple[Sequence[e.Event], object]]
"""Judges the newest state: gives the events it wants stored, and what to tell the proposer once they are.

An outcome that is an exception is raised to the proposer, also after its events were stored."""


def propose_answer(interrupt_id: str, response: InterruptResponse, clock: Clock) -> Propose:
    """An answer to an interrupt; one past its deadline is recorded as nobody's first."""

    def propose(state: RunState) -> tuple[Sequence[e.Event], InterruptResponse | AnswerError]:
        now = clock.now()
        interrupt = state.interrupts[interrupt_id]
        if is_overdue(interrupt, clock):
            expired = e.InterruptExpired(at=now, interrupt_id=interrupt_id)
            late = apply(state, expired).interrupts[interrupt_id]
            try:
                return (), judge(late, response, now)
            except AnswerError as error:
                return [expired], error
        judged = judge(interrupt, response, now)
        if interrupt.response is not None:
            return (), judged
        return [e.InterruptAnswered(at=now, interrupt_id=interrupt_id, response=judged)], judged

    return propose


def propose_expiry(interrupt_id: str, clock: Clock) -> Propose:
    """The end of an interrupt's time, if nobody decided before; tells whether it is recorded."""

    def propose(state: RunState) -> tuple[Sequence[e.Event], bool]:
        if is_overdue(state.interrupts[interrupt_id], clock):
            return [e.InterruptExpired(at=clock.now(), interrupt_id=interrupt_id)], True
        return (), False

    return propose


def propose_loss(interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue], clock: Clock) -> Propose:
    """What a handler delivered is gone, if it has not delivered anew and nobody decided before."""

    def propose(state: RunState) -> tuple[Sequence[e.Event], bool]:
        interrupt = state.interrupts[interrupt_id]
        delivery = interrupt.deliveries.get(handler)
        if interrupt.response is not None or delivery is None or delivery.receipt != receipt:
            return (), False
        return [e.DeliveryLost(at=clock.now(), interrupt_id=interrupt_id, handler=handler, receipt=dict(receipt))], True

    return propose


def propose_cancel(by: str | None, reason: str, clock: Clock) -> Propose:
    """The end of a run by someone's will."""

    def propose(state: RunState) -> tuple[Sequence[e.Event], None]:
        if state.status.over:
            raise RunFinishedError(state.run_id, state.status, "nothing to cancel")
        return [e.RunCancelled(at=clock.now(), by=by, reason=reason)], None

    return propose


def propose_retry(from_step: str | None, by: str | None, clock: Clock) -> Propose:
    """Another try of a failed run, from a step on or where it stopped."""

    def propose(state: RunState) -> tuple[Sequence[e.Event], None]:
        if state.status is not RunStatus.FAILED:
            raise RunFinishedError(state.run_id, state.status, "only a failed run can be retried")
        begun_anew(state, from_step)
        return [e.RunRetried(at=clock.now(), by=by, from_step=from_step)], None

    return propose


def refuse_unstorable(response: InterruptResponse, limit: int) -> None:
    """Stop at an answer that can't be stored, whoever gives it.

    Raises:
        InvalidJsonError: naming the path of the first value that JSON can't hold.
        PayloadTooLargeError: with what is too large, the size and the limit.
    """
    to_json_value(response.data, "data of the answer", limit)
    to_json_value(response.notes, "notes of the answer", limit)
    to_json_value(response.responder, "responder of the answer", limit)


def refuse_unstorable_names(limit: int, **names: str | None) -> None:
    """Stop at the name of a run, a person or a channel that can't be stored.

    Raises:
        InvalidJsonError: it is no text, or no Unicode text.
        PayloadTooLargeError: with which it is, the size and the limit.
    """
    for what, name in names.items():
        if name is not None and not isinstance(name, str):
            raise InvalidJsonError(what, f"text is needed, not {type(name).__name__}")
        to_json_value(name, what, limit)


def is_overdue(interrupt: InterruptState, clock: Clock) -> bool:
    """Its deadline has passed and nobody has decided."""
    deadline = interrupt.request.deadline
    return interrupt.response is None and deadline is not None and clock.now() >= deadline


def the_one_pending(run: RunResult) -> str:
    """The interrupt that an answer without an id means.

    Raises:
        NotPendingError: none is pending.
        AmbiguousInterruptError: several are.
    """
    pending = run.pending
    if not pending:
        raise NotPendingError(
            f"run {run.run_id} is {run.status.value}; no interrupt of it is pending", run_id=run.run_id
        )
    if len(pending) > 1:
        raise AmbiguousInterruptError(run.run_id, {request.id: request.reason for request in pending})
    return pending[0].id
