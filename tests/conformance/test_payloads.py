"""What can't be stored is refused at every door by its name, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidJsonError,
    PayloadTooLargeError,
    RunStatus,
    StepContext,
    StepResult,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.limits import MAX_PAYLOAD_BYTES
from spectra_bot.testing.clock import ManualClock
from tests.engines import built_on

LIMIT = 2_000
Runner = Callable[..., WorkflowRunner]
Door = Callable[[Runner, Any], Awaitable[str]]
"""Passes a value through one door, and returns the error that it met."""


class Cluster:
    """Nothing that JSON knows."""


def circle() -> list[object]:
    one: list[object] = []
    one.append(one)
    return one


@pytest.fixture(params=[LIMIT])
def build(place: dict[str, Any], clock: ManualClock, tmp_path: Path, request: pytest.FixtureRequest) -> Runner:
    options = place.get("temporal")
    if options is not None and request.param > MAX_PAYLOAD_BYTES:  # what lifts Temporal's own limit
        place = {"temporal": replace(options, payloads=f"file://{tmp_path}")}

    def built(*workflows: Workflow, **more: Any) -> WorkflowRunner:
        return WorkflowRunner(workflows=workflows, clock=clock, max_payload_bytes=request.param, **place, **more)

    return built


def gated() -> Workflow:
    workflow = Workflow("gated")

    @workflow.step
    async def gate(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Go on?", options=("approve", "reject", "modify")))

    return workflow


async def failed(build: Runner, body: Callable[[StepContext], Awaitable[object]]) -> str:
    """How a run fails of which this is the one step."""
    workflow = Workflow("failing")
    workflow.add("work", _step(body))
    async with build(workflow) as runner:
        result = await runner.run("failing")
    assert result.status is RunStatus.FAILED
    return result.error or ""


def _step(body: Callable[[StepContext], Awaitable[object]]) -> Any:
    async def step(ctx: StepContext) -> object:
        return await body(ctx)

    return step


async def inputs(build: Runner, value: object) -> str:
    async with build(gated()) as runner:
        with pytest.raises((InvalidJsonError, PayloadTooLargeError)) as refused:
            await runner.start("gated", {"plan": value})
        assert await runner.list_runs() == []
    return str(refused.value)


async def output(build: Runner, value: object) -> str:
    async def body(ctx: StepContext) -> object:
        return {"plan": value}

    return await failed(build, body)


async def once_result(build: Runner, value: object) -> str:
    async def body(ctx: StepContext) -> object:
        return await ctx.once("effect", lambda: {"plan": value})

    return await failed(build, body)


async def question(build: Runner, value: object) -> str:
    async def body(ctx: StepContext) -> object:
        return await ctx.interrupt(InterruptRequest(reason="Go on?", data={"plan": value}))

    return await failed(build, body)


async def returned_question(build: Runner, value: object) -> str:
    async def body(ctx: StepContext) -> object:
        return StepResult.interrupted(InterruptRequest(reason="Go on?", data={"plan": value}))

    return await failed(build, body)


async def gate(build: Runner, value: object) -> str:
    workflow = Workflow("gating")
    workflow.add("work", HumanGateStep("Go on?", data=lambda _: {"plan": value}))
    async with build(workflow) as runner:
        return (await runner.run("gating")).error or ""


async def answer(build: Runner, value: object) -> str:
    async with build(gated()) as runner:
        asked = await runner.run("gated")
        with pytest.raises((InvalidJsonError, PayloadTooLargeError)) as refused:
            await runner.resume(asked.run_id, InterruptResponse(status=InterruptStatus.APPROVED, data={"plan": value}))
        assert len(await runner.list_pending()) == 1
    return str(refused.value)


async def form(build: Runner, value: object) -> str:
    async with build(gated()) as runner:
        asked = await runner.run("gated")
        response = asked.pending[0].answer("modify").model_copy(update={"data": {"plan": value}})
        with pytest.raises((InvalidJsonError, PayloadTooLargeError)) as refused:
            await runner.resume(asked.run_id, response)
        assert len(await runner.list_pending()) == 1
    return str(refused.value)


async def handlers_answer(build: Runner, value: object) -> str:
    class Robot:
        async def handle(self, request: InterruptRequest) -> InterruptResponse:
            return request.answer("approve", data={"plan": value})  # type: ignore[dict-item]  # that is the point

    return await last_error(build, Robot())


async def receipt(build: Runner, value: object) -> str:
    class Board:
        async def handle(self, request: InterruptRequest) -> Delivered:
            return Delivered({"plan": value})

    return await last_error(build, Board())


async def last_error(build: Runner, handler: object) -> str:
    """What became of handing a question over."""
    async with build(gated(), handlers=[handler]) as runner:
        asked = await runner.run("gated")
        async with asyncio.timeout(10):
            while not (deliveries := (await runner.get(asked.run_id)).interrupts[0].deliveries):
                await asyncio.sleep(0.01)
        assert len(await runner.list_pending()) == 1
    return deliveries[0].last_error or ""


async def notes(build: Runner, value: str) -> str:
    async with build(gated()) as runner:
        asked = await runner.run("gated")
        response = asked.pending[0].answer("approve").model_copy(update={"notes": value})
        with pytest.raises((InvalidJsonError, PayloadTooLargeError)) as refused:
            await runner.resume(asked.run_id, response)
        assert len(await runner.list_pending()) == 1
    return str(refused.value)


async def reason_of_cancel(build: Runner, value: str) -> str:
    async with build(gated()) as runner:
        asked = await runner.run("gated")
        with pytest.raises((InvalidJsonError, PayloadTooLargeError)) as refused:
            await runner.cancel(asked.run_id, reason=value)
        assert len(await runner.list_pending()) == 1
    return str(refused.value)


NAMES: Mapping[Door, str] = {
    inputs: "inputs",
    output: "output of work",
    once_result: "once 'effect' of work",
    question: "data",
    returned_question: "data",
    gate: "data",
    answer: "data of the answer",
    form: "data of the answer",
    handlers_answer: "data of the answer",
    receipt: "receipt of Board",
    notes: "notes of the answer",
    reason_of_cancel: "reason",
}
"""What each door calls what passes it."""
BUILT_EARLIER: Mapping[Door, str] = {answer: "data", handlers_answer: "data", receipt: "data"}
"""Where a model of ours already stops what is no JSON."""
every_door = pytest.mark.parametrize("door", NAMES, ids=lambda door: door.__name__)
every_door_of_values = pytest.mark.parametrize(
    "door", [door for door in NAMES if door not in (notes, reason_of_cancel)], ids=lambda door: door.__name__
)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: {"when": Cluster()}, ".plan.when: Cluster is not JSON"),
        (lambda: [1.5, float("nan")], ".plan[1]: nan is not JSON"),
        (lambda: {Cluster()}, ".plan[0]: Cluster is not JSON"),
        (lambda: {Cluster(): 1}, ".plan: a key of it is Cluster, and JSON's keys are text"),
        (lambda: b"\xff", ".plan: bytes is not JSON"),
        (circle, ".plan[0]: it contains itself"),
        (lambda: "\ud800", ".plan: '\\ud800' is not Unicode text"),
    ],
    ids=["object", "nan", "set", "key", "bytes", "circle", "surrogate"],
)
@every_door_of_values
async def test_what_json_can_not_hold_is_refused_by_its_path(
    door: Door, make: Callable[[], object], said: str, build: Runner
) -> None:
    assert f"{BUILT_EARLIER.get(door, NAMES[door])}{said}" in await door(build, make())


@every_door
async def test_what_is_too_large_is_refused_with_name_size_and_limit(door: Door, build: Runner) -> None:
    said = await door(build, "x" * LIMIT)

    extra = len('""') if door in (notes, reason_of_cancel) else len('{"plan":""}')
    assert f"{NAMES[door]} is {LIMIT + extra:,} bytes and the limit is {LIMIT:,}; keep the value elsewhere" in said


@pytest.mark.parametrize("door", [notes, reason_of_cancel], ids=lambda door: door.__name__)
async def test_text_that_is_no_unicode_is_refused_by_its_name(door: Door, build: Runner) -> None:
    assert f"{NAMES[door]}: '\\ud800' is not Unicode text" in await door(build, "\ud800")


@pytest.mark.parametrize("build", [8 * 1024 * 1024], indirect=True)
async def test_higher_limit_holds_at_every_door(build: Runner) -> None:
    large = "x" * (6 * 1024 * 1024)
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        assert ctx.inputs["plan"] == large
        assert await ctx.once("effect", lambda: large) == large
        response = await ctx.interrupt(InterruptRequest(reason="Go on?", data={"plan": large}))
        return str(response.data["plan"])

    async with build(workflow) as runner:
        asked = await runner.run("large", {"plan": large})
        done = await runner.resume(
            asked.run_id, InterruptResponse(status=InterruptStatus.APPROVED, data={"plan": large}, notes=large)
        )

    assert done.error is None
    assert done.outputs["work"] == large


async def test_limit_may_be_set_by_the_builder(place: dict[str, Any]) -> None:
    where = place.get("temporal") or Path(place["database"])
    builder = WorkflowRunner.builder().add_workflow(gated()).with_max_payload(LIMIT)

    async with built_on(builder, where) as runner:
        with pytest.raises(PayloadTooLargeError, match=f"the limit is {LIMIT:,};"):
            await runner.start("gated", {"plan": "x" * LIMIT})


async def test_long_error_is_stored_shortened(build: Runner) -> None:
    async def body(ctx: StepContext) -> object:
        raise RuntimeError("x" * 100_000)

    said = await failed(build, body)

    assert len(said) < 4_200
    assert said.endswith("more characters are in the log)")
