"""The one judge: who may answer which interrupt, with what. Pure; every surface passes through it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from spectra_bot.errors import AlreadyAnsweredError, InvalidAnswerError, NotAllowedError, NotPendingError
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.machine.state import InterruptState
from spectra_bot.options import DECISIONS, InterruptOption, InterruptStatus


def may_decide(approvers: Sequence[str], responder: str | None) -> bool:
    """Whether an identity may decide where these approvers are named; none named: anyone.

    A plain id means a Slack user of any workspace that the surface lets in; with a scheme it must match in full.
    """
    if not approvers:
        return True
    if responder is None:
        return False
    slack_user = responder.rpartition("/")[2] if responder.startswith("slack:") else None
    return any(approver == responder if ":" in approver else approver == slack_user for approver in approvers)


def judge(interrupt: InterruptState, response: InterruptResponse, now: datetime) -> InterruptResponse:
    """The response as it is stored, if it may decide this interrupt now.

    The same answer again gets the response that is stored.

    Raises:
        InvalidAnswerError: it names another interrupt, or its option, status or form does not fit the question.
        AlreadyAnsweredError: someone was first.
        NotPendingError: it timed out or was cancelled.
        NotAllowedError: this responder may not decide it.
    """
    request = interrupt.request
    if response.interrupt_id not in (None, request.id):
        raise InvalidAnswerError(f"this answers interrupt {response.interrupt_id}, and was given to {request.id}")
    if interrupt.response is not None and not _repeats(request, interrupt.response, response):
        raise _over(interrupt, interrupt.response)
    if not may_decide(request.approvers, response.responder):
        is_bare = response.responder in request.approvers  # and yet it may not: it lacks its scheme
        why = f"a Slack user answers as slack:TEAM/{response.responder}" if is_bare else None
        raise NotAllowedError(response.responder, request.approvers, why)
    if interrupt.response is not None:
        return interrupt.response.model_copy(update={"superseded_by": interrupt.superseded_by})
    option = _chosen(request, response)
    return response.model_copy(
        update={
            "option": option.id,
            "data": _filled_in(option, response),
            "notes": _notes(response),
            "interrupt_id": request.id,
            "responded_at": now,
            "superseded_by": None,
            "request": None,
        }
    )


def _over(interrupt: InterruptState, given: InterruptResponse) -> AlreadyAnsweredError | NotPendingError:
    request = interrupt.request
    match given.status:
        case InterruptStatus.TIMED_OUT:
            then = f"; {given.option!r} applied by default" if given.option else ""
            why = f"nobody decided by {given.responded_at:%Y-%m-%d %H:%MZ}{then}"
        case InterruptStatus.CANCELLED:
            why = interrupt.closed_why or "it was cancelled"
        case _:
            who, when = given.responder, given.responded_at
            newer = interrupt.superseded_by
            return AlreadyAnsweredError(request.id, request.run_id, given.option, who, when, superseded_by=newer)
    return NotPendingError(f"interrupt {request.id} is over: {why}", run_id=request.run_id, interrupt_id=request.id)


def _chosen(request: InterruptRequest, response: InterruptResponse) -> InterruptOption:
    """The offered option that a response picks, by name or as the only one of its status."""
    offered = ", ".join(option.id for option in request.options)
    if response.status not in DECISIONS:
        raise InvalidAnswerError(f"{response.status.value} is the runner's to say; choose one of: {offered}")
    if response.option is None:
        fitting = [option for option in request.options if option.status is response.status]
        if len(fitting) != 1:
            raise InvalidAnswerError(
                f"{len(fitting) or 'none'} of the options means {response.status.value}; name one of: {offered}"
            )
        return fitting[0]
    option = request.option(response.option)
    if option is None:
        raise InvalidAnswerError(f"{response.option!r} is not offered; choose one of: {offered}")
    if option.status is not response.status:
        raise InvalidAnswerError(
            f"option {option.id!r} means {option.status.value}, and the answer says {response.status.value}"
        )
    return option


def _filled_in(option: InterruptOption, response: InterruptResponse) -> dict[str, JsonValue]:
    """What is sent with an option, as its form holds it; a note fills in the field that asks for one."""
    form, given = option.form, response.data
    if form is None:
        return given
    if response.notes is not None and not form.free and any(field.name == "notes" for field in form.fields):
        given = {"notes": response.notes, **given}
    return form.validated(given)


def _repeats(request: InterruptRequest, stored: InterruptResponse, given: InterruptResponse) -> bool:
    """The same answer again: the id given, and equal in all that the giver says."""
    if (
        given.interrupt_id is None
        or stored.status not in DECISIONS
        or given.status is not stored.status
        or given.option not in (None, stored.option)
        or given.responder != stored.responder
        or _notes(given) != stored.notes
    ):
        return False
    option = request.option(stored.option) if stored.option else None
    try:
        return stored.data in (given.data, _filled_in(option, given) if option else given.data)
    except InvalidAnswerError:
        return False


def _notes(response: InterruptResponse) -> str | None:
    notes = response.notes if response.notes is not None else response.data.get("notes")
    return notes if isinstance(notes, str) and notes.strip() else None
