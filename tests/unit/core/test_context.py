"""What a step sees and how it asks, within one visit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from spectra_bot import (
    AnswerIgnoredError,
    InterruptException,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InterruptTimedOutError,
    InvalidRequestError,
    OnceKeyError,
    QuestionOrderError,
    StepContext,
    UnstableQuestionError,
)
from spectra_bot.context import MAX_CHANGES, Question, Slot
from spectra_bot.json_values import to_json_value
from tests.unit.core.runs import NOW

SHIP = InterruptRequest(reason="Ship it?", data={"plan": ["a"]})
TELL = InterruptRequest(reason="Tell everybody?")
PIN = InterruptRequest(reason="Which PIN?", options=("enter",))


class Visit:
    """One visit of a step over its executions: what it asks is stored, and answered when a test says so."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields
        self.questions: dict[Slot, Question] = {}
        self.results: dict[str, JsonValue] = {}
        self.now = NOW
        self.asked = 0

    def execution(self) -> StepContext:
        return StepContext(
            **{"run_id": "r-1", "step": "ask", "inputs": {}, "outputs": {}, **self._fields},
            questions=dict(self.questions),
            stored=dict(self.results),
            effects=self,
        )

    def park(self, ctx: StepContext) -> None:
        """Store what an execution asked, as the machine does."""
        for new in ctx.asked:
            self.asked += 1
            stamps = {"id": f"i-{self.asked}", "replaces": new.replaces, "changed": new.changed}
            request = new.request.model_copy(update=stamps)
            self.questions[new.slot] = Question(slot=new.slot, request=request, response=None, changes=new.changes)

    def answer(
        self, slot: Slot, option: str | None = "approve", status: InterruptStatus = InterruptStatus.APPROVED
    ) -> None:
        question = self.questions[slot]
        self.now += timedelta(seconds=1)
        response = InterruptResponse(
            status=status, option=option, responded_at=self.now, interrupt_id=question.request.id
        )
        self.questions[slot] = Question(
            slot=slot, request=question.request, response=response, changes=question.changes
        )

    async def ask(self, request: InterruptRequest, key: str | None = None) -> Slot:
        """Have one execution await a question for the first time; the slot that it got."""
        ctx = self.execution()
        with pytest.raises(InterruptException):
            await ctx.interrupt(request, key=key)
        self.park(ctx)
        return ctx.asked[-1].slot

    async def once(self, key: str, fn: Callable[[], object]) -> JsonValue:
        value = fn()
        self.results[key] = to_json_value(await value if isinstance(value, Awaitable) else value, key)
        return self.results[key]

    def report(self, fraction: float | None, text: str) -> None:
        self.results["progress"] = [fraction, text]


# Awaited questions.


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


async def test_of_two_answers_in_the_same_moment_the_later_question_has_the_newest() -> None:
    visit = Visit()
    for number, option in ((0, "approve"), (1, "reject")):
        visit.questions[number] = Question(
            slot=number,
            request=SHIP.model_copy(update={"id": f"i-{number}", "digest": f"{number}"}),
            response=InterruptResponse(status=InterruptStatus.ANSWERED, option=option, responded_at=NOW),
        )

    response = visit.execution().response

    assert response is not None
    assert response.option == "reject"


# Raised and returned questions.


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


# Effects.


async def test_an_effect_runs_once_and_its_stored_result_is_returned() -> None:
    visit = Visit()
    shipped: list[str] = []

    def ship() -> tuple[str, ...]:
        shipped.append("v1")
        return ("v1",)

    first = await visit.execution().once("ship", ship)
    again = await visit.execution().once("ship", ship)

    assert first == again == ["v1"]
    assert shipped == ["v1"]


async def test_an_effect_may_be_async() -> None:
    async def ship() -> str:
        return "v1"

    assert await Visit().execution().once("ship", ship) == "v1"


async def test_a_once_key_used_twice_in_one_execution_fails_the_step() -> None:
    visit = Visit()
    ctx = visit.execution()
    await ctx.once("ship", lambda: 1)

    with pytest.raises(OnceKeyError, match="give each effect a key of its own"):
        await ctx.once("ship", lambda: 2)

    assert visit.results == {"ship": 1}


async def test_a_once_key_used_twice_fails_the_step_on_its_re_run_too() -> None:
    visit = Visit()
    visit.results["ship"] = 1
    ctx = visit.execution()
    await ctx.once("ship", lambda: 1)

    with pytest.raises(OnceKeyError):
        await ctx.once("ship", lambda: 1)


async def test_an_effect_that_failed_may_be_tried_again() -> None:
    visit = Visit()
    ctx = visit.execution()

    async def broken() -> None:
        raise ConnectionError("no answer")

    with pytest.raises(ConnectionError):
        await ctx.once("ship", broken)

    assert visit.results == {}
    assert await ctx.once("ship", lambda: "shipped") == "shipped"


def test_an_effects_id_is_the_same_in_each_re_run_and_of_this_visit_alone() -> None:
    ids = [
        Visit().execution().effect_id("ship"),
        Visit(attempt=2).execution().effect_id("ship"),
        Visit().execution().effect_id("tell"),
        Visit(visit=2).execution().effect_id("ship"),
        Visit(step="other").execution().effect_id("ship"),
        Visit(run_id="r-2").execution().effect_id("ship"),
    ]

    assert ids[0] == ids[1] == "0f9fbf5c8d71b90fae4076de9068ccba", "other systems keep it over a new version too"
    assert len(set(ids[1:])) == 5


def test_progress_goes_to_whoever_watches() -> None:
    visit = Visit()

    visit.execution().progress(0.5, "half")

    assert visit.results["progress"] == [0.5, "half"]


# What a step is given is its own.


async def test_a_step_that_changes_what_it_was_given_changes_nothing_of_its_run() -> None:
    outputs: Mapping[str, Any] = {"plan": {"changes": ["a"]}}
    visit = Visit(outputs=outputs)
    visit.results["list"] = ["a"]
    await visit.ask(SHIP)
    visit.answer(0)
    ctx = visit.execution()

    ctx.outputs["plan"]["changes"].append("b")
    (await ctx.once("list", list)).append("b")
    response = await ctx.interrupt(SHIP)
    response.data["more"] = 1
    assert response.request is not None
    response.request.data["more"] = 1

    assert outputs == {"plan": {"changes": ["a"]}}
    assert visit.results["list"] == ["a"]
    again = visit.execution().response
    assert again is not None
    assert again.request is not None
    assert (again.data, again.request.data) == ({}, {"plan": ["a"]})


async def test_a_step_may_change_its_own_copy_of_the_outputs() -> None:
    ctx = Visit(outputs={"plan": {"changes": ["a"]}}).execution()

    ctx.outputs["plan"]["changes"].append("b")

    assert ctx.outputs["plan"] == {"changes": ["a", "b"]}
