"""Lists come from Temporal's visibility, whoever started the runs."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from temporalio.client import Client, WorkflowFailureError

from spectra_bot import (
    HumanGateStep,
    InterruptRequest,
    RunStatus,
    StepContext,
    StoreError,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.visibility import MAX_QUESTIONS_BYTES
from tests.temporal_server import TemporalServer

TIMEOUT_S = 60


async def test_question_is_found_behind_newer_runs_that_ask_nothing(temporal: TemporalServer, task_queue: str) -> None:
    go_on = asyncio.Event()
    asking, busy = Workflow("asking"), Workflow("busy")
    asking.add("gate", HumanGateStep("Ship it?"))

    @busy.step
    async def work(ctx: StepContext) -> None:
        await go_on.wait()

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with (
        asyncio.timeout(TIMEOUT_S),
        WorkflowRunner(workflows=[asking, busy], temporal=options) as bot,
        WorkflowRunner(temporal=options, recover=False) as elsewhere,
    ):
        asked = await bot.run("asking")
        for _ in range(3):
            await bot.start("busy")
        while len(await elsewhere.list_runs()) < 4 or not await elsewhere.list_pending():
            await asyncio.sleep(0.05)

        found = await elsewhere.list_pending(limit=1)
        running = await elsewhere.list_runs(status=RunStatus.RUNNING, limit=2)
        go_on.set()

    assert [request.id for request in found] == [asked.pending[0].id]
    assert [run.workflow for run in running] == ["busy", "busy"]


async def test_question_that_is_too_large_to_stand_beside_its_run_is_listed(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Fine?", data={"plan": "x" * 2 * MAX_QUESTIONS_BYTES}))

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        asked = await bot.run("asking")
        listed = await bot.list_pending()

    assert tuple(listed) == asked.pending
    assert len(listed) == 1


async def test_run_that_does_not_tell_its_large_question_does_not_hold_up_the_others(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 2.0)
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Fine?", data={"plan": "x" * ctx.inputs["size"]}))

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options, recover=False) as elsewhere:
        async with WorkflowRunner(workflows=[workflow], temporal=options) as bot:
            large = await bot.run("asking", {"size": 2 * MAX_QUESTIONS_BYTES})
            while not await elsewhere.list_pending():
                await asyncio.sleep(0.05)
        with pytest.raises(StoreError, match=large.run_id):  # else it would say that nothing waits
            await elsewhere.list_pending()

        async with WorkflowRunner(workflows=[workflow], temporal=options) as bot:
            small = await bot.run("asking", {"size": 1})
            while len(await elsewhere.list_pending()) < 2:
                await asyncio.sleep(0.05)
        listed = await elsewhere.list_pending()

    assert tuple(listed) == small.pending
    unheard = {entry.__dict__["run_id"] for entry in caplog.records if entry.message == "questions not listed"}
    assert unheard == {large.run_id}


async def test_run_with_more_questions_than_an_attribute_holds_goes_on(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("crowd")

    @workflow.step
    async def ask(ctx: StepContext) -> int:
        requests = [InterruptRequest(reason=f"Question {number}?", key=str(number)) for number in range(70)]
        return len(await asyncio.gather(*(ctx.interrupt(request) for request in requests)))

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        asked = await bot.run("crowd")
        for request in asked.pending:
            await bot.answer(request.id, request.answer("approve"))
        done = await bot.wait(asked.run_id, over=True)

    assert len(asked.pending) == 70
    assert done.outputs == {"ask": 70}


async def test_failed_run_that_was_retried_is_no_longer_listed_as_failed(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("flaky")
    is_mended = False

    @workflow.step
    async def work(ctx: StepContext) -> None:
        if not is_mended:
            raise ConnectionError("no way there")

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with (
        asyncio.timeout(TIMEOUT_S),
        WorkflowRunner(workflows=[workflow], temporal=options) as bot,
        WorkflowRunner(temporal=options, recover=False) as elsewhere,
    ):
        still, again = (await bot.run("flaky")).run_id, (await bot.run("flaky")).run_id
        await closed(temporal, again)
        is_mended = True
        await bot.retry(again)
        while again not in {run.run_id for run in await elsewhere.list_runs(status=RunStatus.COMPLETED)}:
            await asyncio.sleep(0.05)
        failed = await elsewhere.list_runs(status=RunStatus.FAILED)

    assert [run.run_id for run in failed] == [still]


async def closed(server: TemporalServer, run_id: str) -> None:
    """Return when a run is closed, and a retry has to begin it anew."""
    client = await Client.connect(server.address)
    with contextlib.suppress(WorkflowFailureError):
        await client.get_workflow_handle(run_id).result()
