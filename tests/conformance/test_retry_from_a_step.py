"""A failed run taken up again at a step: effects done again and questions asked anew from there on, and only there."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from spectra_bot import (
    HumanGateStep,
    RetryRefusedError,
    RunFinishedError,
    RunResult,
    RunStatus,
    StepContext,
    UnknownStepError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import OpenRunner


class World:
    """What the steps' effects did, and whether the last step still breaks."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.is_broken = True


def release(world: World) -> Workflow:
    """Plans, asks and ships, with a branch beside the plan; shipping breaks at first."""
    workflow = Workflow("release")

    @workflow.step
    async def start(ctx: StepContext) -> str:
        await ctx.once("start", lambda: world.effects.append("start"))
        return "started"

    @workflow.step(after="start")
    async def beside(ctx: StepContext) -> str:
        await ctx.once("beside", lambda: world.effects.append("beside"))
        return "untouched"

    @workflow.step(after="start")
    async def plan(ctx: StepContext) -> int:
        await ctx.once("plan", lambda: world.effects.append("plan"))
        return ctx.visit

    workflow.add("approve", HumanGateStep(lambda ctx: f"Ship plan {ctx.outputs['plan']}?"), after="plan")

    @workflow.step(after=("approve", "beside"))
    async def ship(ctx: StepContext) -> str:
        await ctx.once("ship", lambda: world.effects.append("ship"))
        if world.is_broken:
            raise RuntimeError("no such host")
        return "shipped"

    return workflow


async def failed_at_ship(runner: WorkflowRunner) -> RunResult:
    asked = await runner.run("release")
    failed = await runner.resume(asked.run_id, asked.pending[0].answer("approve", responder="cli:ada"))
    assert failed.error == "ship: RuntimeError: no such host"
    return failed


async def test_everything_from_the_step_on_is_done_again_and_nothing_before_or_beside_it(
    open_runner: OpenRunner,
) -> None:
    world = World()
    runner = await open_runner(release(world))
    failed = await failed_at_ship(runner)
    world.is_broken = False

    asked = await runner.retry(failed.run_id, "plan", by="cli:bob")
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert [request.reason for request in asked.pending] == ["Ship plan 2?"]
    assert asked.outputs == {"start": "started", "beside": "untouched", "plan": 2}
    assert done.status is RunStatus.COMPLETED
    assert world.effects.count("start") == world.effects.count("beside") == 1
    assert world.effects.count("plan") == world.effects.count("ship") == 2


async def test_history_says_from_which_step_and_by_whom_and_keeps_the_earlier_decision(
    open_runner: OpenRunner,
) -> None:
    runner = await open_runner(release(World()))
    failed = await failed_at_ship(runner)

    await runner.retry(failed.run_id, "plan", by="cli:bob")
    history = await runner.history(failed.run_id)
    details = await runner.get(failed.run_id)

    [retried] = [checkpoint for checkpoint in history if checkpoint.event == "RunRetried"]
    assert (retried.by, retried.detail["from_step"]) == ("cli:bob", "plan")
    assert [record.status for record in details.interrupts] == ["approved", "pending"]
    assert {step.step: step.visit for step in details.steps} == {
        "start": 1,
        "beside": 1,
        "plan": 2,
        "approve": 2,
        "ship": 2,
    }


async def test_failed_step_itself_may_begin_anew(open_runner: OpenRunner) -> None:
    world = World()
    runner = await open_runner(release(world))
    failed = await failed_at_ship(runner)
    world.is_broken = False

    done = await runner.retry(failed.run_id, "ship")

    assert done.status is RunStatus.COMPLETED
    assert world.effects.count("ship") == 2
    assert world.effects.count("plan") == 1


async def test_question_of_a_branch_that_a_failure_closed_is_asked_again_beside_the_step(
    open_runner: OpenRunner,
) -> None:
    world, asked = World(), asyncio.Event()
    workflow = Workflow("branches")

    def reason(ctx: StepContext) -> str:
        asked.set()
        return "Tell them?"

    workflow.add("ask", HumanGateStep(reason), after=())

    @workflow.step(after=())
    async def build(ctx: StepContext) -> int:
        await asked.wait()
        return ctx.visit

    @workflow.step(after="build")
    async def ship(ctx: StepContext) -> str:
        if world.is_broken:
            raise RuntimeError("no such host")
        return "shipped"

    runner = await open_runner(workflow)
    failed = await runner.run("branches")
    world.is_broken = False

    again = await runner.retry(failed.run_id, "build")
    done = await runner.resume(again.run_id, again.pending[0].answer("approve"))

    assert [request.reason for request in again.pending] == ["Tell them?"]
    assert (done.outputs["build"], done.outputs["ship"]) == (2, "shipped")
    assert {step.step: step.visit for step in (await runner.get(done.run_id)).steps}["ask"] == 1


@pytest.mark.parametrize(
    ("from_step", "seen"),
    [
        ("roll-out", ["prepare 1", "plan 1", "apply 1", "plan 2", "apply 2"]),
        ("roll-out/plan", ["prepare 1", "plan 1", "apply 1", "plan 2", "apply 2"]),
        ("roll-out/apply", ["prepare 1", "plan 1", "apply 1", "apply 2"]),
        ("prepare", ["prepare 1", "plan 1", "apply 1", "prepare 2", "plan 2", "apply 2"]),
    ],
)
async def test_sub_workflow_begins_anew_by_its_name_and_by_the_names_of_its_steps(
    open_runner: OpenRunner, from_step: str, seen: list[str]
) -> None:
    world, ran = World(), list[str]()
    part = Workflow("part")

    @part.step
    async def plan(ctx: StepContext) -> None:
        ran.append(f"plan {ctx.visit}")

    @part.step
    async def apply(ctx: StepContext) -> None:
        ran.append(f"apply {ctx.visit}")
        if world.is_broken:
            raise RuntimeError("no such host")

    whole = Workflow("whole")

    @whole.step
    async def prepare(ctx: StepContext) -> None:
        ran.append(f"prepare {ctx.visit}")

    whole.add("roll-out", part)
    runner = await open_runner(whole)
    failed = await runner.run("whole")
    world.is_broken = False

    done = await runner.retry(failed.run_id, from_step)

    assert failed.error == "roll-out/apply: RuntimeError: no such host"
    assert done.status is RunStatus.COMPLETED
    assert ran == seen


async def test_unknown_step_and_one_that_has_not_started_are_refused_and_nothing_is_stored(
    open_runner: OpenRunner,
) -> None:
    runner = await open_runner(release(World()))
    asked = await runner.run("release")
    failed = await runner.resume(asked.run_id, asked.pending[0].answer("reject"))
    before = await runner.history(failed.run_id)

    with pytest.raises(UnknownStepError, match="no step 'plam'; its steps: start, beside, plan, approve, ship") as told:
        await runner.retry(failed.run_id, "plam")
    with pytest.raises(RetryRefusedError, match="it has not started, because approve did not finish") as refused:
        await runner.retry(failed.run_id, "ship")

    assert (told.value.run_id, told.value.step) == (failed.run_id, "plam")
    assert told.value.known == ("start", "beside", "plan", "approve", "ship")
    assert (refused.value.run_id, refused.value.step) == (failed.run_id, "ship")
    assert await runner.history(failed.run_id) == before


async def test_run_that_did_not_fail_is_not_retried_from_a_step(open_runner: OpenRunner) -> None:
    runner = await open_runner(release(World()))
    asked = await runner.run("release")

    for step in ("plan", "plam"):
        with pytest.raises(RunFinishedError, match="only a failed run can be retried"):
            await runner.retry(asked.run_id, step)


async def test_run_that_failed_in_another_process_is_taken_up_at_the_step(open_runner: OpenRunner) -> None:
    world = World()
    first = await open_runner(release(world))
    failed = await failed_at_ship(first)
    await first.__aexit__(None, None, None)
    world.is_broken = False

    second = await open_runner(release(world))
    asked = await second.retry(failed.run_id, "plan")
    await second.__aexit__(None, None, None)
    third = await open_runner(release(world))
    done = await third.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.status is RunStatus.COMPLETED
    assert done.outputs["plan"] == 2
    assert world.effects.count("plan") == world.effects.count("ship") == 2
    assert world.effects.count("start") == 1


async def test_of_two_retries_at_once_one_is_done_and_the_other_told_that_the_run_goes_on(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    world = World()
    here, there = await open_runner(release(world)), await open_runner(release(world))
    failed = await failed_at_ship(here)

    retries = [asyncio.create_task(runner.retry(failed.run_id, "plan")) for runner in (here, there, here)]
    async with asyncio.timeout(60):
        while not all(retry.done() for retry in retries):  # its owner looks now and then for what others appended
            clock.advance(timedelta(seconds=0.1))
            await asyncio.sleep(0.005)
    outcomes = await asyncio.gather(*retries, return_exceptions=True)
    history = await here.history(failed.run_id)

    refused = [outcome for outcome in outcomes if isinstance(outcome, RunFinishedError)]
    assert len(refused) == 2
    assert all("only a failed run can be retried" in str(error) for error in refused)
    assert [checkpoint.event for checkpoint in history].count("RunRetried") == 1
    assert world.effects.count("plan") == 2


async def test_new_visit_of_a_step_waits_until_the_old_one_has_cleaned_up(open_runner: OpenRunner) -> None:
    running, at_most = 0, 0
    started, may_end = asyncio.Event(), asyncio.Event()
    workflow = Workflow("slow")

    @workflow.step
    async def hold(ctx: StepContext) -> int:
        nonlocal running, at_most
        running += 1
        at_most = max(at_most, running)
        try:
            if ctx.visit == 1:
                started.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await may_end.wait()
        finally:
            running -= 1
        return ctx.visit

    @workflow.step(after=())
    async def fail(ctx: StepContext) -> None:
        await started.wait()
        if ctx.attempt == 1:
            raise RuntimeError("no such host")

    runner = await open_runner(workflow)
    run_id = await runner.start("slow")
    await until_failed(runner, run_id)
    retrying = asyncio.create_task(runner.retry(run_id, "hold"))
    await until_retried(runner, run_id)
    may_end.set()
    done = await asyncio.wait_for(retrying, 60)

    assert done.outputs["hold"] == 2
    assert at_most == 1


async def test_effect_of_the_old_visit_that_is_under_way_ends_before_it_is_done_again(
    open_runner: OpenRunner,
) -> None:
    told: list[str] = []
    begun, may_end = asyncio.Event(), asyncio.Event()
    workflow = Workflow("effects")

    async def deploy() -> None:
        told.append("begun")
        begun.set()
        await may_end.wait()
        told.append("ended")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        await ctx.once("deploy", deploy)

    @workflow.step(after=())
    async def fail(ctx: StepContext) -> None:
        await begun.wait()
        if ctx.attempt == 1:
            raise RuntimeError("no such host")

    runner = await open_runner(workflow)
    failed = await runner.run("effects")
    retrying = asyncio.create_task(runner.retry(failed.run_id, "work"))
    await until_retried(runner, failed.run_id)
    may_end.set()
    done = await asyncio.wait_for(retrying, 60)

    assert done.status is RunStatus.COMPLETED
    assert told == ["begun", "ended", "begun", "ended"]


async def until_failed(runner: WorkflowRunner, run_id: str) -> None:
    """Return when the run has failed, though a step of it may still clean up."""
    async with asyncio.timeout(60):
        while (await runner.get(run_id)).status is not RunStatus.FAILED:
            await asyncio.sleep(0.005)


async def until_retried(runner: WorkflowRunner, run_id: str) -> None:
    """Return when the retry is stored and the step that failed has run again."""
    async with asyncio.timeout(60):
        while {step.step: step.phase for step in (await runner.get(run_id)).steps}["fail"] != "completed":
            await asyncio.sleep(0.005)
