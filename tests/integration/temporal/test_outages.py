"""A server that is away for longer than a worker may be silent: no effect is begun that would be done again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from spectra_bot import RunStatus, StepContext, TemporalOptions, Workflow, WorkflowRunner
from tests.temporal_server import a_temporal

LEASE_S = 2.0
TIMEOUT_S = 90


async def test_effect_that_would_begin_in_an_outage_is_done_once(tmp_path: Path) -> None:
    executions: list[str] = []
    effects: list[str] = []
    at_work, go_on = asyncio.Event(), asyncio.Event()
    workflow = Workflow("shipping")

    @workflow.step
    async def ship(ctx: StepContext) -> None:
        executions.append(ctx.run_id)
        at_work.set()
        await go_on.wait()
        await ctx.once("ship", lambda: effects.append(ctx.run_id))

    with a_temporal(tmp_path / "server") as server:
        options = TemporalOptions(address=server.address, task_queue="here")
        async with (
            asyncio.timeout(TIMEOUT_S),
            WorkflowRunner(workflows=[workflow], temporal=options, lease_s=LEASE_S) as bot,
        ):
            run_id = await bot.start("shipping")
            await at_work.wait()
            server.stop()
            await asyncio.sleep(2 * LEASE_S)  # the outage
            go_on.set()
            await asyncio.sleep(LEASE_S / 4)
            begun_meanwhile = list(effects)
            server.start()
            result = await bot.wait(run_id, over=True)

    assert begun_meanwhile == []
    assert result.status is RunStatus.COMPLETED
    assert effects == [run_id]
