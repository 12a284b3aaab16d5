"""What a step does once within a visit, and what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from spectra_bot import (
    InterruptException,
    InvalidRequestError,
    OnceKeyError,
)
from tests.unit.core.visits import SHIP, Visit


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


NO_TEXTS = [7, ("host", 1), b"host", "host-\udcff"]


@pytest.mark.parametrize("key", NO_TEXTS)
async def test_an_effect_whose_key_would_not_be_read_again_is_not_begun(key: Any) -> None:
    done: list[str] = []

    with pytest.raises(OnceKeyError, match="was not begun: a key is Unicode text"):
        await Visit().execution().once(key, lambda: done.append("shipped"))

    assert done == []


@pytest.mark.parametrize("key", NO_TEXTS)
async def test_a_question_whose_key_would_not_be_read_again_is_refused(key: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"'Ship it\?': its key .+ is not Unicode text"):
        await Visit().execution().interrupt(SHIP, key=key)


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


async def test_a_part_that_joins_an_effect_takes_its_question_in_the_place_it_was_asked_in() -> None:
    visit = Visit()
    began, joined = (visit.execution().within("agent").within("1.a") for _ in range(2))

    with pytest.raises(InterruptException) as asked:
        await began.interrupt(SHIP)
    joined.raised(asked.value.request)

    assert [question.slot for question in joined.asked] == [question.slot for question in began.asked]
