"""Scenarios of steps: what they do, how they fail, how people steer them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from spectra_bot import HumanGateStep, InterruptRequest, RetryPolicy, RunStatus, StepContext, StepResult, Workflow
from tests.replay.asked import shipping
from tests.replay.stage import BY, Desk, Stage, approve


async def effects(stage: Stage) -> None:
    """Effects over a question and a retry, one that raises, and one that outlives its step."""
    done: list[str] = []
    go_on = asyncio.Event()
    workflow = Workflow("effects")

    def unreliable() -> None:
        done.append("unreliable")
        if done.count("unreliable") == 1:
            raise OSError("down")

    async def late() -> str:
        await go_on.wait()
        return "late"

    @workflow.step
    async def work(ctx: StepContext) -> object:
        await ctx.once("first", lambda: done.append("first"))
        await ctx.interrupt(InterruptRequest(reason="Fine?"))
        return await ctx.once("second", unreliable)

    @workflow.step(after=())
    async def leave(ctx: StepContext) -> str:
        begun = asyncio.create_task(ctx.once("late", late))
        await asyncio.sleep(0)
        assert not begun.done()
        return "left"

    async with stage.bot(workflow) as bot:
        failed = await approve(bot, await bot.run("effects", run_id=stage.run_id))
        assert failed.error == "work: OSError: down"
        go_on.set()
        result = await bot.retry(stage.run_id, by=BY)
    assert (result.status, done.count("first")) == (RunStatus.COMPLETED, 1)


async def tried_again(stage: Stage) -> None:
    """A step that raises is run again after pauses, up to its last attempt."""
    workflow = Workflow("trying")
    policy = RetryPolicy(attempts=3, first_pause=timedelta(seconds=0.2), jitter=0.0)

    @workflow.step(retry=policy)
    async def succeed(ctx: StepContext) -> int:
        if ctx.attempt < 3:
            raise ConnectionError("down")
        return ctx.attempt

    @workflow.step(after="succeed", retry=policy, timeout=timedelta(seconds=0.2))
    async def hang(ctx: StepContext) -> None:
        await asyncio.Event().wait()

    async with stage.bot(workflow) as bot:
        done = await bot.run("trying", run_id=stage.run_id)
    assert done.outputs == {"succeed": 3}
    assert done.status is RunStatus.FAILED


async def retried(stage: Stage) -> None:
    """Failed and closed, then retried in a new history; failed again, and retried before it was closed."""
    desk = Desk()
    workflow = Workflow("retrying")
    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> StepResult:
        return StepResult.failed("down") if ctx.attempt < 3 else StepResult.completed({"attempt": ctx.attempt})

    @workflow.step(after="gate")
    async def beside(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Tell everybody?"))

    async with stage.bot(workflow, handlers=[desk]) as bot:
        result = await bot.run("retrying", run_id=stage.run_id)
        failed = await bot.resume(stage.run_id, result.pending[0].answer("approve", responder=BY))
        assert failed.status is RunStatus.FAILED
        while RunStatus.FAILED not in desk.told:
            await asyncio.sleep(0.05)
        desk.may_conclude.clear()
        assert (await bot.retry(stage.run_id, by=BY)).status is RunStatus.FAILED
        retrying = asyncio.create_task(bot.retry(stage.run_id, by=BY))
        while [checkpoint.event for checkpoint in await bot.history(stage.run_id)].count("RunRetried") < 2:
            await asyncio.sleep(0.05)
        desk.may_conclude.set()
        done = await approve(bot, await retrying)
    assert done.outputs["ship"] == {"attempt": 3}


async def from_step(stage: Stage) -> None:
    """Retried from a step on: a new visit of it, and of all behind it."""
    workflow = Workflow("returning")

    @workflow.step
    async def plan(ctx: StepContext) -> int:
        return int(str(await ctx.once("plan", lambda: ctx.visit)))

    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> StepResult:
        return StepResult.failed("bad plan") if ctx.outputs["plan"] == 1 else StepResult.completed()

    async with stage.bot(workflow) as bot:
        await approve(bot, await bot.run("returning", run_id=stage.run_id))
        done = await approve(bot, await bot.retry(stage.run_id, "plan", by=BY))
    assert done.status is RunStatus.COMPLETED


async def nested(stage: Stage) -> None:
    """A workflow within a workflow, conditions, a branch that is skipped, and a way back."""
    workflow = Workflow("nesting")

    @workflow.step
    async def build(ctx: StepContext) -> int:
        return ctx.visit

    workflow.add("eu", shipping(), inputs=lambda ctx: {"env": "eu"}, after="build")
    workflow.add("us", shipping(), after="build", when=lambda ctx: False)

    @workflow.step(after=("eu", "us"))
    async def check(ctx: StepContext) -> int:
        return int(ctx.outputs["build"])

    workflow.back("check", to="build", when=lambda ctx: ctx.outputs["check"] < 2)

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        done = await approve(bot, await bot.run("nesting", run_id=stage.run_id))
    assert done.outputs["check"] == 2


async def cancelled(stage: Stage) -> None:
    """Cancelled with a step at work, which cleans up, and an open question."""
    at_work = asyncio.Event()
    workflow = Workflow("cancelling")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        try:
            at_work.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)

    workflow.add("gate", HumanGateStep("Go on?", timeout=timedelta(days=1)), after=())

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        await bot.start("cancelling", run_id=stage.run_id)
        await at_work.wait()
        while not await bot.list_pending(run_id=stage.run_id):
            await asyncio.sleep(0.05)
        done = await bot.cancel(stage.run_id, by=BY, reason="a test")
    assert done.status is RunStatus.CANCELLED


SCENARIOS = (effects, tried_again, retried, from_step, nested, cancelled)
