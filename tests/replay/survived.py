"""Scenarios of what runs live through: workers that die or stop, code that changes, histories that grow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest import mock

from spectra_bot import HumanGateStep, RunStatus, StepContext, Workflow
from tests.integration.processes import Process
from tests.integration.temporal.bot import runner
from tests.replay.asked import shipping
from tests.replay.stage import BY, LEASE_S, Desk, Stage, WatchedDesk, approve


async def killed_worker(stage: Stage) -> None:
    """A worker is killed in a step, which runs again elsewhere."""
    journal = stage.temporal.folder / "journal"
    place = (stage.temporal.address, stage.run_id, LEASE_S, journal)
    async with Process.started("tests.integration.temporal.bot", *map(str, place)) as bot:
        assert await bot.read() == "open"
        bot.write(f"crashing {stage.run_id}")
        assert await bot.read() == "at work"
        await bot.kill()
    async with runner(stage.temporal.address, stage.run_id, LEASE_S, Path(journal)) as heir:
        done = await heir.wait(stage.run_id, over=True)
    assert done.status is RunStatus.COMPLETED


async def stopped_worker(stage: Stage) -> None:
    """A worker is told to stop with a step and a handler at work; another carries both on."""
    at_work = asyncio.Event()
    workflow = Workflow("stopping")

    @workflow.step
    async def work(ctx: StepContext) -> int:
        at_work.set()
        if not is_heir:
            await asyncio.Event().wait()
        return ctx.attempt

    workflow.add("gate", HumanGateStep("Go on?"), after=())
    is_heir = False
    hanging = Desk(hangs=True)
    async with stage.bot(workflow, handlers=[hanging]) as bot:
        await bot.start("stopping", run_id=stage.run_id)
        await at_work.wait()
        while not hanging.told:
            await asyncio.sleep(0.05)
    is_heir = True
    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        done = await approve(bot, await bot.wait(stage.run_id))
    assert done.status is RunStatus.COMPLETED


async def not_loaded(stage: Stage) -> None:
    """A worker that does not know the workflow puts its step off, until one does."""
    with mock.patch("spectra_bot.temporal.step_activities.NOT_LOADED_S", 0.5):
        async with stage.caller(shipping()) as caller, stage.bot() as other:
            await caller.start("shipping", run_id=stage.run_id)
            while len(await other.history(stage.run_id)) < 1 or not await _was_put_off(stage):
                await asyncio.sleep(0.05)
        async with stage.bot(shipping()) as bot:
            done = await approve(bot, await bot.wait(stage.run_id))
    assert done.status is RunStatus.COMPLETED


async def _was_put_off(stage: Stage) -> bool:
    shown = await asyncio.to_thread(stage.temporal.command, "workflow", "show", "--workflow-id", stage.run_id)
    return "TimerStarted" in shown.stdout


async def edited_graph(stage: Stage) -> None:
    """A step is added and conditions change while a run is parked: it keeps the graph on which it started."""
    edited = shipping()

    @edited.step(after="gate")
    async def added(ctx: StepContext) -> str:
        return "added"

    async with stage.bot(shipping(), handlers=[Desk()]) as bot:
        result = await bot.run("shipping", run_id=stage.run_id)
    async with stage.bot(edited, handlers=[Desk()]) as bot:
        done = await approve(bot, result)
    assert set(done.outputs) == {"plan", "gate", "ship"}


async def removed_step(stage: Stage) -> None:
    """A step is removed while a run is parked before it: the run fails and names it."""
    removed = Workflow("shipping")

    @removed.step
    async def plan(ctx: StepContext) -> None:
        raise AssertionError

    removed.add("gate", HumanGateStep("Ship it?"))
    async with stage.bot(shipping(), handlers=[Desk()]) as bot:
        result = await bot.run("shipping", run_id=stage.run_id)
    async with stage.bot(removed, handlers=[Desk()]) as bot:
        done = await approve(bot, result)
    assert done.error is not None
    assert "ship" in done.error


async def lost_message(stage: Stage) -> None:
    """A message is deleted while its question waits: whoever looks finds it gone, and it is delivered anew."""
    async with stage.bot(shipping(), handlers=[WatchedDesk()]) as bot:
        result = await bot.run("shipping", run_id=stage.run_id)
    desk = WatchedDesk(stood=False)
    async with stage.bot(shipping(), handlers=[desk]) as bot:
        while not desk.told:
            await asyncio.sleep(0.05)
        done = await approve(bot, result)
    assert done.status is RunStatus.COMPLETED
    assert desk.told[0].endswith(" again")


async def grown(stage: Stage) -> None:
    """Its history grows so long that it goes on in another, with an open question and what was decided."""
    workflow = Workflow("growing")

    @workflow.step
    async def work(ctx: StepContext) -> int:
        await ctx.once("effect", lambda: ctx.visit)
        return ctx.visit

    workflow.add("gate", HumanGateStep("Enough?", ("approve", "again"), routes={"again": "work"}))
    workflow.add("aside", HumanGateStep("Still there?"), after=())

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        result = await bot.run("growing", run_id=stage.run_id)
        for _ in range(3):
            (gate,) = (request for request in result.pending if request.step == "gate")
            result = await bot.resume(stage.run_id, gate.answer("again", responder=BY))
        done = await approve(bot, result)
    assert done.outputs["work"] == 4


SCENARIOS = (killed_worker, stopped_worker, not_loaded, edited_graph, removed_step, lost_message)
SCENARIOS_OF_SMALL_HISTORIES = (grown,)
"""For a server that suggests a new history soon."""
