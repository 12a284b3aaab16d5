"""How a step asks by raising or returning a question, within one visit."""

from __future__ import annotations

import pytest

from spectra_bot import (
    AnswerIgnoredError,
    InterruptException,
    InterruptRequest,
    InvalidRequestError,
    StepContext,
    UnstableQuestionError,
)
from spectra_bot.context import MAX_CHANGES
from tests.unit.core.visits import SHIP, TELL, Visit


def raise_in(visit: Visit, *requests: InterruptRequest) -> StepContext:
    ctx = visit.execution()
    for request in requests:
        ctx.raised(request)
    visit.park(ctx)
    return ctx


def test_a_raised_question_is_asked() -> None:
    ctx = raise_in(Visit(), SHIP)

    assert [(new.slot, new.request.reason) for new in ctx.asked] == [(0, "Ship it?")]


def test_two_raised_questions_are_two_questions() -> None:
    ctx = raise_in(Visit(), SHIP, TELL)

    assert [(new.slot, new.request.reason) for new in ctx.asked] == [(0, "Ship it?"), (1, "Tell everybody?")]


def test_one_key_for_two_different_raised_questions_fails_the_step() -> None:
    with pytest.raises(InvalidRequestError, match="another question of this step has the key 'key'"):
        raise_in(Visit(), *(request.model_copy(update={"key": "key"}) for request in (SHIP, TELL)))


async def test_a_raised_question_takes_the_next_free_number() -> None:
    visit = Visit()
    await visit.ask(SHIP)
    visit.answer(0)
    ctx = visit.execution()
    await ctx.interrupt(SHIP)

    ctx.raised(TELL)

    assert [new.slot for new in ctx.asked] == [1]


async def test_an_awaited_question_that_the_step_raises_on_is_asked_once() -> None:
    ctx = Visit().execution()
    with pytest.raises(InterruptException) as raised:
        await ctx.interrupt(SHIP)

    ctx.raised(raised.value.request)
    ctx.raised(SHIP)

    assert len(ctx.asked) == 1


def test_an_answered_question_raised_again_unchanged_fails_the_step() -> None:
    visit = Visit()
    raise_in(visit, SHIP)
    visit.answer(0)

    with pytest.raises(AnswerIgnoredError, match=r"read ctx\.response first"):
        raise_in(visit, SHIP)


def test_an_answered_keyed_question_raised_again_unchanged_fails_the_step() -> None:
    visit = Visit()
    keyed = InterruptRequest(reason="Ship it?", key="ship")
    raise_in(visit, keyed)
    visit.answer("ship")

    with pytest.raises(AnswerIgnoredError):
        raise_in(visit, keyed)


def test_raising_the_very_request_that_was_answered_fails_the_step() -> None:
    visit = Visit()
    raise_in(visit, SHIP)
    visit.answer(0)
    response = visit.execution().response
    assert response is not None
    assert response.request is not None

    with pytest.raises(AnswerIgnoredError):
        raise_in(visit, response.request)


def test_a_raised_question_that_is_still_pending_waits_on() -> None:
    visit = Visit()
    raise_in(visit, SHIP)

    ctx = raise_in(visit, SHIP)

    assert (ctx.asked, ctx.still_open, ctx.parks) == ([], [0], True)


def test_a_raised_question_whose_data_changes_each_time_fails_the_step() -> None:
    visit = Visit()
    for minute in range(MAX_CHANGES):
        raise_in(visit, InterruptRequest(reason="Ship it?", data={"at": minute}))
        visit.answer(max(slot for slot in visit.questions if isinstance(slot, int)))

    with pytest.raises(UnstableQuestionError, match=r"data\.at"):
        raise_in(visit, InterruptRequest(reason="Ship it?", data={"at": 99}))
