"""How a step asks with `await`, within one visit."""

from __future__ import annotations

import asyncio

import pytest

from spectra_bot import (
    InterruptException,
    InterruptRequest,
    InterruptStatus,
    InterruptTimedOutError,
    InvalidRequestError,
    QuestionOrderError,
    UnstableQuestionError,
)
from spectra_bot.context import MAX_CHANGES
from tests.unit.core.visits import PIN, SHIP, TELL, Visit


async def test_a_question_stops_the_step_and_its_answer_lets_it_go_on() -> None:
    visit = Visit()
    slot = await visit.ask(SHIP)
    visit.answer(slot)

    response = await visit.execution().interrupt(SHIP)

    assert response.approved
    assert response.request is not None
    assert response.request.id == "i-1"


async def test_questions_without_a_key_are_numbered_by_their_calls() -> None:
    visit = Visit()
    first = await visit.ask(SHIP)
    visit.answer(first)
    ctx = visit.execution()
    await ctx.interrupt(SHIP)
    with pytest.raises(InterruptException):
        await ctx.interrupt(TELL)
    visit.park(ctx)
    visit.answer(1, "reject", InterruptStatus.REJECTED)

    again = visit.execution()

    assert (await again.interrupt(SHIP)).option == "approve"
    assert (await again.interrupt(TELL)).option == "reject"
    assert again.responses.keys() == {0, 1}


async def test_questions_with_a_key_may_change_places() -> None:
    visit = Visit()
    for key in ("ship", "tell"):
        await visit.ask(SHIP if key == "ship" else TELL, key)
        visit.answer(key, "approve" if key == "ship" else "reject")
    ctx = visit.execution()

    told, shipped = await ctx.interrupt(TELL, key="tell"), await ctx.interrupt(SHIP, key="ship")

    assert (told.option, shipped.option) == ("reject", "approve")
    assert ctx.responses.keys() == {"ship", "tell"}
    assert not ctx.parks


async def test_a_requests_own_key_is_as_good_as_the_calls() -> None:
    visit = Visit()
    await visit.ask(InterruptRequest(reason="Ship it?", key="ship"))
    visit.answer("ship")

    response = await visit.execution().interrupt(InterruptRequest(reason="Ship it?"), key="ship")

    assert response.approved


async def test_questions_asked_together_are_all_asked_at_once() -> None:
    visit = Visit()
    ctx = visit.execution()

    with pytest.raises(InterruptException):
        await asyncio.gather(ctx.interrupt(SHIP), ctx.interrupt(TELL), ctx.interrupt(PIN, key="pin"))

    assert [new.slot for new in ctx.asked] == [0, 1, "pin"]


async def test_unkeyed_questions_that_changed_places_fail_the_step() -> None:
    visit = Visit()
    ctx = visit.execution()
    with pytest.raises(InterruptException):
        await asyncio.gather(ctx.interrupt(SHIP), ctx.interrupt(TELL))
    visit.park(ctx)
    visit.answer(0)
    visit.answer(1)

    with pytest.raises(QuestionOrderError, match="was question 2 of this step and is now question 1; give each a key="):
        await visit.execution().interrupt(TELL)


async def test_the_same_question_may_be_asked_twice_in_a_row() -> None:
    visit = Visit()
    await visit.ask(PIN)
    visit.answer(0, "enter", InterruptStatus.ANSWERED)
    ctx = visit.execution()
    await ctx.interrupt(PIN)

    with pytest.raises(InterruptException):
        await ctx.interrupt(PIN)

    assert [new.slot for new in ctx.asked] == [1]


async def test_a_question_whose_answer_a_retry_forgot_is_asked_again_in_its_place() -> None:
    visit = Visit()
    ctx = visit.execution()
    with pytest.raises(InterruptException):
        await asyncio.gather(ctx.interrupt(PIN), ctx.interrupt(PIN))
    visit.park(ctx)
    visit.answer(1, "enter", InterruptStatus.ANSWERED)
    del visit.questions[0]

    slot = await visit.ask(PIN)

    assert slot == 0


async def test_a_key_asked_twice_at_once_is_one_question() -> None:
    ctx = Visit().execution()

    with pytest.raises(InterruptException):
        await asyncio.gather(ctx.interrupt(SHIP, key="ship"), ctx.interrupt(SHIP, key="ship"))

    assert [new.slot for new in ctx.asked] == ["ship"]


async def test_one_key_for_two_different_questions_fails_the_step() -> None:
    visit = Visit()
    await visit.ask(SHIP, "key")
    visit.answer("key")
    ctx = visit.execution()
    await ctx.interrupt(SHIP, key="key")

    with pytest.raises(InvalidRequestError, match="another question of this step has the key 'key'"):
        await ctx.interrupt(TELL, key="key")


async def test_a_pending_question_is_met_again_and_not_asked_again() -> None:
    visit = Visit()
    await visit.ask(SHIP)
    ctx = visit.execution()

    with pytest.raises(InterruptException) as raised:
        await ctx.interrupt(SHIP)

    assert raised.value.request.id == "i-1"
    assert (ctx.asked, ctx.still_open, ctx.parks) == ([], [0], True)


async def test_a_changed_question_is_a_new_one_that_says_what_changed() -> None:
    visit = Visit()
    await visit.ask(SHIP)
    visit.answer(0)
    ctx = visit.execution()

    with pytest.raises(InterruptException):
        await ctx.interrupt(
            InterruptRequest(reason="Ship it now?", data={"plan": ["b"], "more": 1}, options=("approve",))
        )

    assert ctx.asked[0].replaces == "i-1"
    changed = [str(difference) for difference in ctx.asked[0].changed]
    assert changed[:3] == ["reason: Ship it? → Ship it now?", "data.plan[0]: a → b", "data.more: 1 (new)"]
    assert [difference.path for difference in ctx.asked[0].changed[3:]] == ["options.reject"]


async def test_a_question_that_changes_on_three_re_runs_in_a_row_fails_the_step() -> None:
    visit = Visit()
    for minute in range(MAX_CHANGES):
        await visit.ask(InterruptRequest(reason="Ship it?", data={"at": minute, "plan": "same"}))
        visit.answer(0)

    with pytest.raises(UnstableQuestionError) as unstable:
        await visit.execution().interrupt(InterruptRequest(reason="Ship it?", data={"at": 99, "plan": "same"}))

    assert unstable.value.changed == ("data.at",)
    assert "compute them in an earlier step, or in once" in str(unstable.value)


async def test_a_clock_that_ran_out_without_a_default_is_an_error_that_a_step_may_catch() -> None:
    visit = Visit()
    await visit.ask(SHIP)
    visit.answer(0, None, InterruptStatus.TIMED_OUT)
    ctx = visit.execution()

    with pytest.raises(InterruptTimedOutError, match="nobody decided in time: Ship it"):
        await ctx.interrupt(SHIP)

    assert ctx.response is not None
    assert ctx.response.status is InterruptStatus.TIMED_OUT


async def test_a_clock_that_ran_out_with_a_default_is_an_answer() -> None:
    visit = Visit()
    await visit.ask(SHIP)
    visit.answer(0, "reject", InterruptStatus.TIMED_OUT)

    response = await visit.execution().interrupt(SHIP)

    assert response.rejected
    assert response.status is InterruptStatus.TIMED_OUT


async def test_the_response_is_the_newest_answer() -> None:
    visit = Visit()
    ctx = visit.execution()
    assert ctx.response is None
    with pytest.raises(InterruptException):
        await asyncio.gather(ctx.interrupt(SHIP), ctx.interrupt(TELL))
    visit.park(ctx)
    visit.answer(1, "reject", InterruptStatus.REJECTED)
    visit.answer(0, "approve")

    response = visit.execution().response

    assert response is not None
    assert response.option == "approve"
