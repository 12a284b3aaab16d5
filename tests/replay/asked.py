"""Scenarios in which people, or handlers, decide."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from spectra_bot import (
    AlreadyAnsweredError,
    HumanGateStep,
    InterruptRequest,
    InterruptTimedOutError,
    NotAllowedError,
    RunStatus,
    StepContext,
    Workflow,
)
from tests.replay.stage import BY, Desk, Stage, approve

SOON = timedelta(seconds=1)


def shipping() -> Workflow:
    """Asks, then ships."""
    workflow = Workflow("shipping")

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, object]:
        return {"changes": ["replicas -> 3"]}

    workflow.add("gate", HumanGateStep("Ship it?", data=lambda ctx: {"plan": ctx.outputs["plan"]}))

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    return workflow


async def answered(stage: Stage) -> None:
    """Asked, delivered, answered, settled, completed and told."""
    async with stage.bot(shipping(), handlers=[Desk()]) as bot:
        result = await bot.run("shipping", {"env": "prod"}, requested_by=BY, run_id=stage.run_id)
        done = await approve(bot, result)
    assert done.outputs["ship"] == "shipped"


async def parked(stage: Stage) -> None:
    """Waits for people, as most runs do."""
    async with stage.bot(shipping(), handlers=[Desk()]) as bot:
        result = await bot.run("shipping", run_id=stage.run_id)
    assert result.status is RunStatus.INTERRUPTED


async def rejected(stage: Stage) -> None:
    """Rejected, so the run fails."""
    async with stage.bot(shipping(), handlers=[Desk()]) as bot:
        done = await approve(bot, await bot.run("shipping", run_id=stage.run_id), "reject")
    assert done.status is RunStatus.FAILED


async def expired(stage: Stage) -> None:
    """Nobody decides in time: once a default applies, once the step hears of it."""
    workflow = Workflow("expiring")

    @workflow.step
    async def ask(ctx: StepContext) -> list[str | None]:
        by_default = await ctx.interrupt(
            InterruptRequest(reason="Go on?", options=("stop", "go"), timeout=SOON, default_option="go")
        )
        try:
            await ctx.interrupt(InterruptRequest(reason="Sure?", timeout=SOON))
        except InterruptTimedOutError:
            return [by_default.option, None]
        raise AssertionError

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        await bot.start("expiring", run_id=stage.run_id)
        done = await bot.wait(stage.run_id, over=True)
    assert done.outputs == {"ask": ["go", None]}


async def gates(stage: Stage) -> None:
    """Routes that lead back and ahead, and a question that a new visit closes."""
    workflow = Workflow("gates")

    @workflow.step
    async def plan(ctx: StepContext) -> int:
        return ctx.visit

    routes = {"again": "plan", "skip": "report"}
    workflow.add("gate", HumanGateStep("Good?", ("approve", "again", "skip"), routes=routes))
    workflow.add("aside", HumanGateStep("Read it?"), after="plan")

    @workflow.step(after="gate")
    async def report(ctx: StepContext) -> int:
        return int(ctx.outputs["plan"])

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        result = await bot.run("gates", run_id=stage.run_id)
        for option in ("again", "skip"):
            (gate,) = (request for request in result.pending if request.step == "gate")
            result = await bot.resume(stage.run_id, gate.answer(option, responder=BY))
        done = await approve(bot, result)
    assert done.outputs["report"] == 2


async def together(stage: Stage) -> None:
    """Branches side by side, and two questions of one step at once."""
    workflow = Workflow("together")

    @workflow.step
    async def both(ctx: StepContext) -> list[str | None]:
        asked = (ctx.interrupt(InterruptRequest(reason=f"{key}?"), key=key) for key in ("colour", "size"))
        return [response.option for response in await asyncio.gather(*asked)]

    for name in ("left", "right"):
        workflow.add(name, HumanGateStep(f"{name}?"), after=())

    @workflow.step(after=("both", "left", "right"))
    async def join(ctx: StepContext) -> int:
        return len(ctx.outputs)

    async with stage.bot(workflow, handlers=[Desk(), Desk(name="second")]) as bot:
        done = await approve(bot, await bot.run("together", run_id=stage.run_id))
    assert done.outputs["join"] == 3


async def refused(stage: Stage) -> None:
    """Eight answer at once and one may count; the same again is told the same; one is not allowed."""
    workflow = Workflow("refusing", approvers=[f"cli:{number}" for number in range(8)])
    workflow.add("gate", HumanGateStep("Ship it?", ("approve", "accept")))
    workflow.add("again", HumanGateStep("Really?"))

    async with stage.bot(workflow) as bot:
        result = await bot.run("refusing", run_id=stage.run_id)
        (gate,) = result.pending
        with contextlib.suppress(NotAllowedError):
            await bot.answer(gate.id, gate.answer("approve", responder="cli:stranger"))
        given = [
            bot.answer(gate.id, gate.answer("approve" if number % 2 else "accept", responder=f"cli:{number}"))
            for number in range(8)
        ]
        told = await asyncio.gather(*given, return_exceptions=True)
        assert sum(isinstance(one, AlreadyAnsweredError) for one in told) == 7
        (stored,) = (one for one in told if not isinstance(one, BaseException))
        assert stored.option is not None
        again = await bot.answer(gate.id, gate.answer(stored.option, responder=stored.responder))
        result = await bot.wait(stage.run_id)
        assert again.responded_at == stored.responded_at
        for request in result.pending:
            await bot.answer(request.id, request.answer("approve", responder="cli:1"))
        done = await bot.wait(stage.run_id, over=True)
    assert done.status is RunStatus.COMPLETED


async def changed_question(stage: Stage) -> None:
    """A step that asks something else when it runs again: the answer counts no more."""
    asked: list[int] = []
    workflow = Workflow("drifting")

    @workflow.step
    async def ask(ctx: StepContext) -> str | None:
        asked.append(1)
        price = 1 if len(asked) == 1 else 2
        return (await ctx.interrupt(InterruptRequest(reason="Buy?", data={"price": price}))).option

    async with stage.bot(workflow, handlers=[Desk()]) as bot:
        done = await approve(bot, await bot.run("drifting", run_id=stage.run_id))
    assert done.outputs == {"ask": "approve"}


async def handlers(stage: Stage) -> None:
    """One handler fails and is tried again, one hangs until it is decided elsewhere, one answers by itself."""
    workflow = Workflow("asking")
    workflow.add("first", HumanGateStep("Ship it?"))
    workflow.add("second", HumanGateStep("Tell everybody?"))
    hanging = Desk(name="hanging", hangs=True)

    async with stage.bot(workflow, handlers=[Desk(name="failing", failures=2), hanging]) as bot:
        result = await bot.run("asking", run_id=stage.run_id)
        await bot.resume(stage.run_id, result.pending[0].answer("approve", responder=BY))
    async with stage.bot(workflow, handlers=[Desk(name="failing"), Desk(name="hanging", answers="approve")]) as bot:
        done = await bot.wait(stage.run_id, over=True)
    assert done.status is RunStatus.COMPLETED


SCENARIOS = (answered, parked, rejected, expired, gates, together, refused, changed_question, handlers)
