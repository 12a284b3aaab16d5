"""The one judge: who may answer which question, with what, until when."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from spectra_bot import (
    AlreadyAnsweredError,
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidAnswerError,
    NotAllowedError,
    NotPendingError,
    may_decide,
)
from spectra_bot.forms import WHY_FORM
from spectra_bot.machine import InterruptState
from spectra_bot.policy import judge
from tests.unit.core.runs import NOW

APPROVED, REJECTED, ANSWERED = InterruptStatus.APPROVED, InterruptStatus.REJECTED, InterruptStatus.ANSWERED


class Changes(BaseModel):
    replicas: int
    share: float = 0.5


OPTIONS = (
    "approve",
    "reject",
    InterruptOption("later", form=None),
    InterruptOption("modify", form=Changes),
)


def asked(
    *,
    approvers: tuple[str, ...] = (),
    options: tuple[str | InterruptOption, ...] = OPTIONS,
    response: InterruptResponse | None = None,
    closed_why: str | None = None,
) -> InterruptState:
    request = InterruptRequest(reason="Ship it?", options=options, approvers=approvers)
    return InterruptState(
        request=request.model_copy(update={"id": "i-1", "run_id": "r-1"}),
        step="ask",
        visit=1,
        slot=0,
        response=response,
        closed_why=closed_why,
    )


def answer(option: str | None = "approve", status: InterruptStatus = APPROVED, **fields: Any) -> InterruptResponse:
    return InterruptResponse.model_validate(
        {"status": status, "option": option, "responder": "slack:T1/U1", "interrupt_id": "i-1", **fields}
    )


@pytest.mark.parametrize(
    ("approvers", "responder", "may"),
    [
        ((), "slack:T1/U1", True),
        ((), "cli:ada", True),
        ((), None, True),
        (("U1",), "slack:T1/U1", True),
        (("U1",), "slack:T2/U1", True),
        (("U1",), "slack:T1/U2", False),
        (("U1",), "slack:U1/U2", False),
        (("U1",), "slack:T1/XU1", False),
        (("U1",), "cli:U1", False),
        (("U1",), "handler:U1", False),
        (("U1",), "U1", False),
        (("U1",), None, False),
        (("U2", "U1"), "slack:T1/U1", True),
        (("slack:T1/U1",), "slack:T1/U1", True),
        (("slack:T1/U1",), "slack:T2/U1", False),
        (("cli:ada",), "cli:ada", True),
        (("cli:ada",), "cli:adam", False),
        (("cli:ada",), "slack:T1/ada", False),
        (("handler:AutoApprove",), "handler:AutoApprove", True),
        (("U1",), "handler:AutoApprove", False),
        (("cli:ada", "U1"), "slack:T9/U1", True),
    ],
)
def test_only_who_is_named_may_decide(approvers: tuple[str, ...], responder: str | None, may: bool) -> None:
    assert may_decide(approvers, responder) is may


def test_an_outsider_is_told_who_may_decide() -> None:
    with pytest.raises(NotAllowedError) as refused:
        judge(asked(approvers=("U2", "cli:ada")), answer(), NOW)

    assert refused.value.responder == "slack:T1/U1"
    assert refused.value.allowed == ("U2", "cli:ada")
    assert "slack:T1/U1 may not decide this; those who may: U2, cli:ada" in str(refused.value)


def test_who_answers_by_a_bare_id_is_told_how_a_slack_user_answers() -> None:
    with pytest.raises(NotAllowedError, match="U2 may not decide this: a Slack user answers as slack:TEAM/U2"):
        judge(asked(approvers=("U2",)), answer(responder="U2"), NOW)


def test_an_answer_is_stored_with_its_option_its_interrupt_and_its_time() -> None:
    given = InterruptResponse(status=REJECTED, responder="cli:ada", notes="too late", request=asked().request)

    stored = judge(asked(), given, NOW)

    assert stored == InterruptResponse(
        status=REJECTED,
        option="reject",
        responder="cli:ada",
        notes="too late",
        interrupt_id="i-1",
        responded_at=NOW,
    )


BAD: list[tuple[InterruptResponse, str]] = [
    (answer("ship"), "'ship' is not offered; choose one of: approve, reject, later, modify"),
    (answer("approve", REJECTED), "option 'approve' means approved, and the answer says rejected"),
    (answer("later", APPROVED), "option 'later' means answered, and the answer says approved"),
    (answer(None, ANSWERED), "2 of the options means answered; name one of: approve, reject, later, modify"),
    (answer("approve", InterruptStatus.TIMED_OUT), "timed_out is the runner's to say"),
    (answer(None, InterruptStatus.CANCELLED), "cancelled is the runner's to say"),
    (answer("modify", ANSWERED), "the form is not filled in right: replicas: Field required"),
    (answer("modify", ANSWERED, data={"replicas": "x"}), "replicas: Input should be a valid integer"),
    (answer("modify", ANSWERED, data={"replicas": 1, "share": "nan"}), "share: Input should be a finite number"),
    (answer(interrupt_id="i-2"), "this answers interrupt i-2, and was given to i-1"),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_what_is_no_answer_to_this_question_is_refused(given: InterruptResponse, said: str) -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        judge(asked(), given, NOW)

    assert said in str(refused.value)


def test_a_status_that_no_option_has_is_refused() -> None:
    with pytest.raises(InvalidAnswerError, match="none of the options means rejected; name one of: approve"):
        judge(asked(options=("approve",)), answer(None, REJECTED), NOW)


def test_the_problems_of_a_form_are_told_by_field() -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        judge(asked(), answer("modify", ANSWERED, data={"replicas": "x", "share": "y"}), NOW)

    assert refused.value.fields.keys() == {"replicas", "share"}


def test_a_filled_in_form_is_stored_as_its_model_holds_it() -> None:
    stored = judge(asked(), answer("modify", ANSWERED, data={"replicas": "3"}), NOW)

    assert stored.data == {"replicas": 3, "share": 0.5}


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({"data": {"notes": "Looks good, ship it"}}, "Looks good, ship it"),
        ({"notes": "mine", "data": {"notes": "theirs"}}, "mine"),
        ({"data": {"notes": "  "}}, None),
        ({"notes": " "}, None),
        ({"data": {"notes": ["no", "text"]}}, None),
        ({}, None),
    ],
)
def test_notes_are_taken_from_the_data_where_none_are_given(fields: dict[str, Any], notes: str | None) -> None:
    stored = judge(asked(), answer(**fields), NOW)

    assert stored.notes == notes


def test_notes_may_be_sent_beside_a_form() -> None:
    stored = judge(asked(), answer("modify", ANSWERED, data={"replicas": 3, "notes": "careful"}), NOW)

    assert stored.notes == "careful"
    assert stored.data == {"replicas": 3, "share": 0.5}


@pytest.mark.parametrize(
    "late",
    [
        answer("reject", REJECTED),
        answer(responder="slack:T1/U2"),
        answer(notes="me too"),
        answer(data={"more": 1}),
        answer(interrupt_id=None),
    ],
)
def test_a_late_answer_is_told_who_decided_what_and_when(late: InterruptResponse) -> None:
    over = asked(response=judge(asked(), answer(), NOW))

    with pytest.raises(AlreadyAnsweredError) as refused:
        judge(over, late, NOW)

    assert (refused.value.option, refused.value.answered_by, refused.value.answered_at) == (
        "approve",
        "slack:T1/U1",
        NOW,
    )
    assert "was answered 'approve' by slack:T1/U1 at 2026-03-01 12:00Z; nothing to do" in str(refused.value)


SAME: list[dict[str, Any]] = [
    {},
    {"option": None},
    {"data": {"notes": "ship it"}},
    {"option": "modify", "status": ANSWERED, "data": {"replicas": 3}},
    {"option": "modify", "status": ANSWERED, "data": {"replicas": "3", "share": "0.5", "notes": "careful"}},
]


@pytest.mark.parametrize("fields", SAME)
def test_the_same_answer_again_is_told_the_same_outcome(fields: dict[str, Any]) -> None:
    given = answer(**fields)
    stored = judge(asked(), given, NOW)

    assert judge(asked(response=stored), given, NOW.replace(hour=13)) == stored
    assert judge(asked(response=stored), stored, NOW.replace(hour=13)) == stored


def test_another_form_of_the_same_person_is_another_answer() -> None:
    over = asked(response=judge(asked(), answer("modify", ANSWERED, data={"replicas": 3}), NOW))
    others: list[dict[str, JsonValue]] = [{"replicas": 4}, {"replicas": "x"}]

    for data in others:
        with pytest.raises(AlreadyAnsweredError):
            judge(over, answer("modify", ANSWERED, data=data), NOW)


@pytest.mark.parametrize(
    ("response", "closed_why", "said"),
    [
        (
            InterruptResponse(status=InterruptStatus.TIMED_OUT, responded_at=NOW),
            None,
            "interrupt i-1 is over: nobody decided by 2026-03-01 12:00Z",
        ),
        (
            InterruptResponse(status=InterruptStatus.TIMED_OUT, option="reject", responded_at=NOW),
            None,
            "'reject' applied by default",
        ),
        (
            InterruptResponse(status=InterruptStatus.CANCELLED, responded_at=NOW),
            "the question changed",
            "interrupt i-1 is over: the question changed",
        ),
    ],
)
def test_an_answer_to_what_nobody_decided_is_told_why_it_is_over(
    response: InterruptResponse, closed_why: str | None, said: str
) -> None:
    with pytest.raises(NotPendingError) as refused:
        judge(asked(response=response, closed_why=closed_why), answer(), NOW)

    assert said in str(refused.value)
    assert (refused.value.run_id, refused.value.interrupt_id) == ("r-1", "i-1")


@pytest.mark.parametrize(
    ("given", "why"),
    [({"notes": "in use"}, "in use"), ({"data": {"notes": "in use"}}, "in use"), ({}, None)],
)
def test_note_fills_in_the_field_of_a_form_that_asks_for_one(given: dict[str, Any], why: str | None) -> None:
    interrupt = asked(options=("approve", InterruptOption("reject", form=WHY_FORM)))

    stored = judge(interrupt, answer("reject", REJECTED, **given), NOW)

    assert (stored.notes, stored.data) == (why, {"notes": why})
