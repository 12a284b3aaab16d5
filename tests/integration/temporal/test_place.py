"""With a place beside Temporal a value may be larger than anything that Temporal takes, wherever it travels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from temporalio.client import Client

from spectra_bot import (
    AlreadyAnsweredError,
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    PayloadTooLargeError,
    PlaceError,
    RunStatus,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.limits import MAX_PAYLOAD_BYTES, Renewal
from tests.temporal_server import TemporalServer

SIZE = 5 * 1024 * 1024
"""More than a payload may have (2 MB), and more than a call to Temporal may carry (4 MB)."""
LIMIT = 8 * 1024 * 1024
EVENTS = 40
"""After about so many events a run goes on in a new execution."""
TIMEOUT_S = 120


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spectra_bot.temporal.beginning.RENEWAL", Renewal(events=EVENTS))


@pytest.fixture(autouse=True)
async def _in_time() -> AsyncIterator[None]:
    async with asyncio.timeout(TIMEOUT_S):
        yield


def large(word: str) -> str:
    return word + "x" * SIZE


def objects(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


async def history_bytes(server: TemporalServer, run_id: str) -> int:
    client = await Client.connect(server.address)
    described = await client.get_workflow_handle(run_id).describe()
    return described.raw_description.workflow_execution_info.history_size_bytes


class Desk:
    """Delivers, and keeps a large receipt."""

    name = "desk"

    async def handle(self, request: InterruptRequest) -> Delivered:
        return Delivered({"shown": large("receipt")})

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse | None, receipt: Mapping[str, object]
    ) -> None:
        assert receipt["shown"] == large("receipt")


async def test_large_value_goes_wherever_a_value_goes(
    temporal: TemporalServer, options: TemporalOptions, place: Path, task_queue: str
) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        assert ctx.inputs["text"] == large("input")
        return str(await ctx.once("effect", lambda: large("once")))

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        assert ctx.outputs["work"] == large("once")
        response = await ctx.interrupt(InterruptRequest(reason="Fine?", data={"plan": large("plan")}))
        return response.data

    given = {"text": large("input")}
    answer = {"text": large("answer")}
    async with WorkflowRunner(
        workflows=[workflow], temporal=options, handlers=[Desk()], max_payload_bytes=LIMIT
    ) as bot:
        asked = await bot.run("large", given, run_id=task_queue)
        assert asked.status is RunStatus.INTERRUPTED, (asked.error or "")[:300]
        [listed] = await bot.list_pending()
        request = asked.pending[0]
        response = request.answer("approve", responder="cli:ada").model_copy(update={"data": answer})
        stored = await bot.answer(request.id, response)
        repeated = await bot.answer(request.id, response)
        done = await bot.wait(task_queue, over=True)
        with pytest.raises(AlreadyAnsweredError, match="cli:ada"):
            await bot.answer(request.id, request.answer("reject", responder="cli:bob"))
        details = await bot.get(task_queue)
        history = await bot.history(task_queue)
        [summary] = await bot.list_runs()

    assert listed.data == {"plan": large("plan")}
    assert stored.data == repeated.data == answer
    assert done.outputs == {"work": large("once"), "ask": answer}
    assert details.inputs == given
    assert [checkpoint.event for checkpoint in history][:3] == ["RunStarted", "OnceStored", "StepCompleted"]
    assert summary.status is RunStatus.COMPLETED
    assert await history_bytes(temporal, task_queue) < 50_000
    assert {path.parent for path in objects(place)} == {place / "default" / task_queue}


async def test_failed_run_with_large_values_is_retried_after_it_was_closed(
    options: TemporalOptions, task_queue: str
) -> None:
    broken = [True]
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return large("output")

    @workflow.step
    async def fail(ctx: StepContext) -> int:
        if broken:
            raise ValueError(large("error"))
        return len(ctx.outputs["work"])

    async with WorkflowRunner(workflows=[workflow], temporal=options, max_payload_bytes=LIMIT) as bot:
        failed = await bot.run("large", run_id=task_queue)
        broken.clear()
        retried = await bot.retry(task_queue)

    assert failed.status is RunStatus.FAILED
    assert retried.outputs == {"work": large("output"), "fail": len(large("output"))}


async def test_large_run_goes_on_in_another_history(
    temporal: TemporalServer, options: TemporalOptions, task_queue: str
) -> None:
    workflow = Workflow("long")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return large(str(ctx.visit))

    @workflow.step
    async def count(ctx: StepContext) -> int:
        return ctx.visit

    workflow.back("count", to="count", when=lambda ctx: ctx.outputs["count"] < 6)
    workflow.add("gate", HumanGateStep("Enough?"), after="count")
    client = await Client.connect(temporal.address)

    async with WorkflowRunner(workflows=[workflow], temporal=options, max_payload_bytes=LIMIT) as bot:
        asked = await bot.run("long", run_id=task_queue)
        while (await client.count_workflows(f"WorkflowId = '{task_queue}'")).count < 2:
            await asyncio.sleep(0.05)
        done = await bot.resume(task_queue, asked.pending[0].answer("approve"))

    assert done.status is RunStatus.COMPLETED
    assert (done.outputs["work"], done.outputs["count"]) == (large("1"), 6)


async def test_limit_of_the_operator_binds_where_there_is_a_place(options: TemporalOptions) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return "x" * 2000

    async with WorkflowRunner(workflows=[workflow], temporal=options, max_payload_bytes=1000) as bot:
        failed = await bot.run("large")

    assert failed.error == f"work: {PayloadTooLargeError('output of work', 2002, 1000)}"


async def test_run_that_began_without_a_place_keeps_its_limits_and_goes_on_with_one(
    options: TemporalOptions, place: Path, task_queue: str
) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        return (await ctx.interrupt(InterruptRequest(reason="Fine?"))).data

    async def more(ctx: StepContext) -> str:
        return "x" * (MAX_PAYLOAD_BYTES - 100)

    for number in range(6):
        workflow.add(f"part-{number}", more)
    without = TemporalOptions(address=options.address, task_queue=task_queue)

    async with WorkflowRunner(workflows=[workflow], temporal=without) as bot:
        asked = await bot.run("large", run_id=task_queue)
    [request] = asked.pending
    response = request.answer("approve").model_copy(update={"data": {"text": "x" * 400_000}})
    async with WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        await bot.answer(request.id, response)
        failed = await bot.wait(task_queue, over=True)
        retried = await bot.retry(task_queue)

    assert "part-5: all that part-5 would be given is 1," in (failed.error or "")
    assert "set SPECTRA_TEMPORAL_PAYLOADS, which lifts the limit" in (failed.error or "")
    assert retried.status is RunStatus.COMPLETED


async def test_caller_without_the_place_is_told_what_it_lacks(options: TemporalOptions, task_queue: str) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return large("output")

    without = TemporalOptions(address=options.address, task_queue=task_queue)

    async with (
        WorkflowRunner(workflows=[workflow], temporal=options, max_payload_bytes=LIMIT) as bot,
        WorkflowRunner(temporal=without, recover=False) as caller,
    ):
        await bot.run("large", run_id=task_queue)
        with pytest.raises(PlaceError, match="none is set here; set SPECTRA_TEMPORAL_PAYLOADS"):
            await caller.wait(task_queue)
        [listed] = await caller.list_runs()

    assert listed.status is RunStatus.COMPLETED
