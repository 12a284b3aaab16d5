"""What becomes of an answer: the judge's word, and what to tell the one who gave it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from handlers.slack.blocks import decided_in_words
from handlers.slack.escape import escaped_line
from handlers.slack.people import mentions
from spectra_bot import (
    AnswerError,
    InterruptRecord,
    InterruptResponse,
    InterruptStatus,
    InvalidAnswerError,
    NotAllowedError,
    PayloadTooLargeError,
    Runner,
    may_decide,
)

logger = logging.getLogger(__name__)

NOT_RECORDED = "⚠️ Not recorded: something went wrong here. Nothing changed; please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an answer was taken."""

    is_accepted: bool = False
    """It is stored, now or before."""
    told: str | None = None
    """What to tell its giver in private, as markup."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Problems of a form by field."""
    record: InterruptRecord | None = None
    """The interrupt, where it is known; with its response, where it is over."""


async def decide(
    runner: Runner,
    before: InterruptRecord,
    option_id: str,
    *,
    responder: str,
    data: Mapping[str, JsonValue] | None = None,
) -> Verdict:
    """Judge and store an answer; it is on disk when this returns an accepted verdict.

    Any error but a refusal is raised: then nothing may be said to be done.

    Args:
        before: the interrupt as it was found.
    """
    request = before.request
    extra = {"run_id": request.run_id, "interrupt_id": request.id, "option": option_id, "by": responder}
    try:
        stored = await runner.answer(request.id, _answer(before, option_id, responder, data))
    except InvalidAnswerError as refused:
        logger.info("answer refused: invalid", extra=extra)
        told = f"⚠️ Not recorded: {escaped_line(str(refused), 1_000)}"
        return Verdict(told=told, fields=refused.fields, record=before)
    except NotAllowedError as refused:
        logger.warning("answer refused: not allowed", extra=extra)
        return Verdict(told=not_allowed(refused.allowed), record=before)
    except PayloadTooLargeError as refused:
        logger.warning("answer refused: too large", extra=extra)
        return Verdict(told=f"⚠️ Not recorded: {escaped_line(str(refused), 1_000)}", record=before)
    except AnswerError as refused:
        logger.info("answer refused: over", extra=extra)
        record = await runner.get_interrupt(request.id)
        return Verdict(told=over(record) or f"⚠️ Nothing changed: {escaped_line(str(refused), 1_000)}", record=record)
    record = before.model_copy(update={"response": stored})
    if before.response is not None:
        told = f"Recorded already: {decided_in_words(request, stored)}"
        return Verdict(is_accepted=True, told=told, record=record)
    return Verdict(is_accepted=True, record=record)


def refusal(record: InterruptRecord, responder: str) -> str | None:
    """Why this person need not fill in a form: it is over, or not theirs to decide."""
    if record.response is not None:
        return over(record)
    approvers = record.request.approvers
    return None if may_decide(approvers, responder) else not_allowed(approvers)


def over(record: InterruptRecord) -> str | None:
    """What a late click is told; None while the interrupt is pending."""
    if record.response is None:
        return None
    said = f"{decided_in_words(record.request, with_reason(record, record.response))}\nYour click changed nothing."
    is_decision = record.response.status not in (InterruptStatus.TIMED_OUT, InterruptStatus.CANCELLED)
    return f"Decided already: {said}" if is_decision else f"Too late: {said}"


def with_reason(record: InterruptRecord, response: InterruptResponse) -> InterruptResponse:
    """The response with why it was closed as its note, where nobody answered, and what took its place."""
    why = record.closed_why if response.status is InterruptStatus.CANCELLED else None
    return response.model_copy(
        update={"notes": response.notes or why, "superseded_by": record.superseded_by or response.superseded_by}
    )


def unknown(interrupt_id: str) -> str:
    """What is told of an interrupt that this database does not know."""
    shown = escaped_line(interrupt_id, 100)
    return (
        f"❓ This question ({shown}) is not known here: its run was pruned since, or another bot runs on this token. "
        "Nothing changed."
    )


def not_allowed(allowed: tuple[str, ...]) -> str:
    """What somebody is told who may not decide."""
    who = f" Who may: {mentions(allowed)}." if allowed else ""
    return f"✋ You may not decide this.{who} Nothing changed."


def _answer(
    record: InterruptRecord, option_id: str, responder: str, data: Mapping[str, JsonValue] | None
) -> InterruptResponse:
    """The answer as the judge takes it; an option that is not offered is for the judge to refuse."""
    option = record.request.option(option_id)
    given = dict(data or {})
    if option and option.form:
        try:
            given = option.form.validated(given)  # as it is stored, so that the same form again is the same answer
        except InvalidAnswerError:
            if record.response is None:
                raise
    return InterruptResponse(
        status=option.status if option else InterruptStatus.ANSWERED,
        option=option_id,
        data=given,
        responder=responder,
        interrupt_id=record.request.id,
    )
