"""What one process leaves behind, the next one carries on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from spectra_bot import HumanGateStep, InterruptStatus, RunStatus, StepContext, Workflow
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import MakeRunner
from tests.integration.asking import Desk, asking


async def test_waiting_run_survives_the_process_and_is_not_asked_twice(make_runner: MakeRunner) -> None:
    first, second = Desk(), Desk()
    async with make_runner(asking(), handlers=[first]) as runner:
        asked = await runner.run("asking")
    async with make_runner(asking(), handlers=[second]) as runner:
        before = await runner.wait(asked.run_id)
        done = await runner.resume(asked.run_id, before.pending[0].answer("approve"))

    assert before.pending == asked.pending
    assert first.handled == [asked.pending[0].id]
    assert second.handled == []
    assert done.status is RunStatus.COMPLETED


async def test_deadline_that_passed_while_no_process_ran_fires_at_the_next_start(
    make_runner: MakeRunner, clock: ManualClock
) -> None:
    workflow = asking(timeout=timedelta(hours=1))
    async with make_runner(workflow) as runner:
        asked = await runner.run("asking")
    clock.advance(timedelta(hours=3))

    async with make_runner(workflow) as runner:
        done = await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)
        [record] = (await runner.get(asked.run_id)).interrupts

    assert done.error == "gate: nobody decided in time: Ship it?"
    assert record.status is InterruptStatus.TIMED_OUT


async def test_step_that_was_stopped_with_its_process_runs_again_in_the_next(make_runner: MakeRunner) -> None:
    started: list[int] = []
    workflow = Workflow("long")
    reached = asyncio.Event()

    @workflow.step
    async def work(ctx: StepContext) -> str:
        started.append(ctx.attempt)
        if len(started) == 1:
            reached.set()
            await asyncio.Event().wait()
        return "done"

    async with make_runner(workflow) as runner:
        run_id = await runner.start("long")
        await reached.wait()
    async with make_runner(workflow) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "done"
    assert started == [1, 1]


async def test_run_keeps_the_graph_it_started_on(make_runner: MakeRunner) -> None:
    async with make_runner(asking()) as runner:
        asked = await runner.run("asking")
    changed = asking()

    @changed.step
    async def added(ctx: StepContext) -> str:
        return "not part of the old run"

    async with make_runner(changed) as runner:
        old = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
        new = await runner.run("asking")
        new = await runner.resume(new.run_id, new.pending[0].answer("approve"))

    assert "added" not in old.outputs
    assert old.status is RunStatus.COMPLETED
    assert "added" in new.outputs


async def test_step_that_is_gone_from_the_code_fails_its_run_by_name(make_runner: MakeRunner) -> None:
    async with make_runner(asking()) as runner:
        asked = await runner.run("asking")
    changed = Workflow("asking")
    changed.add("gate", HumanGateStep("Ship it?"))

    async with make_runner(changed) as runner:
        done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.error == "ship: workflow asking has no step 'ship' any more"


async def test_process_that_is_told_to_stop_lets_an_effect_end(make_runner: MakeRunner) -> None:
    effects: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    workflow = Workflow("shipping")

    async def ship() -> str:
        effects.append(1)
        begun.set()
        await go_on.wait()
        return "shipped"

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return str(await ctx.once("ship", ship))

    async with make_runner(workflow) as runner:
        run_id = await runner.start("shipping")
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    async with make_runner(workflow) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "shipped"
    assert effects == [1]
