"""Lists come from Temporal's visibility, whoever started the runs."""

from __future__ import annotations

import asyncio

from spectra_bot import HumanGateStep, RunStatus, StepContext, TemporalOptions, Workflow, WorkflowRunner
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
