"""What is given to a run at the moment in which it closes is judged like what is given later."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from spectra_bot import (
    AlreadyAnsweredError,
    HumanGateStep,
    NotPendingError,
    RunFinishedError,
    StoreError,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from tests.temporal_server import TemporalServer

TIMEOUT_S = 60
RUNS = 10


async def test_late_answer_and_cancel_of_a_run_that_is_just_closing(temporal: TemporalServer, task_queue: str) -> None:
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        for _ in range(RUNS):
            asked = await bot.run("asking")
            [request] = asked.pending
            await bot.answer(request.id, request.answer("approve", responder="cli:ada"))
            over = asyncio.create_task(bot.wait(asked.run_id, over=True))
            while not over.done():
                with pytest.raises(AlreadyAnsweredError, match="cli:ada"):
                    await bot.answer(request.id, request.answer("reject", responder="cli:bob"))
            with pytest.raises(RunFinishedError):
                await bot.cancel(asked.run_id)


async def test_wait_for_a_run_that_was_ended_from_outside_says_so(temporal: TemporalServer, task_queue: str) -> None:
    """By an operator, or by Temporal itself, whose history of the run has grown too large."""
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        asked = await bot.run("asking")
        waiting = asyncio.create_task(bot.wait(asked.run_id, over=True))
        client = await Client.connect(temporal.address)
        await client.get_workflow_handle(asked.run_id).terminate("by hand")
        with pytest.raises(StoreError, match=f"{asked.run_id} does not go on: it was ended in Temporal"):
            await waiting


async def test_run_that_was_ended_from_outside_takes_nothing_more_and_is_in_no_list(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        asked = await bot.run("asking")
        [request] = asked.pending
        client = await Client.connect(temporal.address)
        await client.get_workflow_handle(asked.run_id).terminate("by hand")

        with pytest.raises(NotPendingError, match="its run was terminated in Temporal from outside"):
            await bot.answer(request.id, request.answer("approve"))
        for steer in (bot.cancel, bot.retry):
            with pytest.raises(RunFinishedError, match="it does not go on; start another"):
                await steer(asked.run_id)
        while await bot.list_pending():  # what visibility knows comes late
            await asyncio.sleep(0.05)
        assert await bot.list_runs() == []
