"""What is too large for Temporal is refused with its size and the limit, before Temporal refuses it in its own way."""

from __future__ import annotations

import asyncio

import pytest

from spectra_bot import (
    PayloadTooLargeError,
    RunStatus,
    StepContext,
    StoreError,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.limits import LIFTED_BY, MAX_PAYLOAD_BYTES
from tests.temporal_server import TemporalServer

TIMEOUT_S = 60


async def test_value_past_the_limit_fails_its_step_and_is_refused_from_callers(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return "x" * MAX_PAYLOAD_BYTES

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        failed = await bot.run("large")
        with pytest.raises(PayloadTooLargeError, match="inputs is 262,"):
            await bot.start("large", {"text": "x" * MAX_PAYLOAD_BYTES})

    refusal = PayloadTooLargeError("output of work", MAX_PAYLOAD_BYTES + 2, MAX_PAYLOAD_BYTES, LIFTED_BY)
    assert failed.error == f"work: {refusal}"
    assert "or set SPECTRA_TEMPORAL_PAYLOADS" in str(refusal)


async def test_step_that_would_be_given_too_much_in_all_fails_clearly(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("many")

    async def large(ctx: StepContext) -> str:
        return "x" * (MAX_PAYLOAD_BYTES - 100)

    for number in range(8):
        workflow.add(f"part-{number}", large)
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        failed = await bot.run("many")

    assert failed.status is RunStatus.FAILED
    assert "part-6: all that part-6 would be given is 1,5" in (failed.error or "")


async def test_run_that_holds_more_than_temporal_shows_ends_and_says_so(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("many")

    async def large(ctx: StepContext) -> str:
        return "x" * (MAX_PAYLOAD_BYTES - 100)

    for number in range(9):
        workflow.add(f"part-{number}", large, after=())
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        run_id = await bot.start("many")
        with pytest.raises(StoreError, match=f"what run {run_id} has to pass on is 2,[0-9,]+ bytes and the limit is"):
            await bot.wait(run_id, over=True)
        [listed] = await bot.list_runs()

    assert listed.status is RunStatus.COMPLETED


async def test_parallel_steps_are_given_more_in_all_than_a_call_to_temporal_takes(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("wide")

    async def part(ctx: StepContext) -> int:
        return len(ctx.inputs["text"])

    for number in range(20):
        workflow.add(f"part-{number}", part, after=())
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        done = await bot.run("wide", {"text": "x" * 250_000})

    assert done.outputs == {f"part-{number}": 250_000 for number in range(20)}
