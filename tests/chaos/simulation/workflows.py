"""Workflows that together use every feature; each step tells the world outside that it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from spectra_bot import (
    InterruptException,
    InterruptRequest,
    InterruptTimedOutError,
    StepContext,
    StepResult,
    Workflow,
)
from tests.chaos.simulation.outside import OUTSIDE
from tests.chaos.simulation.rough_workflows import failing, nested, patient, retrying
from tests.chaos.simulation.told_steps import Gate, decided, effect, refuse, told


def linear() -> Workflow:
    """A plan, a gate, an effect; nobody but two people may decide."""
    workflow = Workflow("linear", approvers=["slack:T1/U0", "U1"])

    @workflow.step
    @told
    async def plan(ctx: StepContext) -> object:
        return {"drawn": await effect(ctx, "draw")}

    workflow.add("gate", Gate("Ship it?", data=lambda ctx: {"plan": ctx.outputs["plan"]}))

    @workflow.step
    @told
    async def ship(ctx: StepContext) -> object:
        first = await effect(ctx, "ship")
        second = await effect(ctx, "tell")
        return {"shipped": first, "told": second}

    return workflow


def several() -> Workflow:
    """One step that asks three things at once and then does something."""
    workflow = Workflow("several")

    @workflow.step
    @told
    async def ask(ctx: StepContext) -> object:
        keys = ("red", "green", "blue")
        before = await effect(ctx, "before")
        answers = await asyncio.gather(
            *(
                ctx.interrupt(InterruptRequest(reason=f"Is {key} good?", data={"shown": before}, key=key))
                for key in keys
            )
        )
        for answer in answers:
            if not answer.approved:
                return refuse(answer)
        return {"answers": [decided(answer) for answer in answers], "after": await effect(ctx, "after")}

    @workflow.step
    @told
    async def ask_in_order(ctx: StepContext) -> object:
        first = await ctx.interrupt(InterruptRequest(reason="The first?", options=("yes", "no", "maybe")))
        second = await ctx.interrupt(InterruptRequest(reason="The second?", options=("yes", "no", "maybe")))
        return {"first": decided(first), "second": decided(second)}

    return workflow


def branches() -> Workflow:
    """Three branches side by side, two of them asking, and a join."""
    workflow = Workflow("branches")
    workflow.add("left", Gate("Left?", timeout=timedelta(seconds=20), default_option="approve"), after=())

    @workflow.step(after=())
    @told
    async def middle(ctx: StepContext) -> object:
        done = await effect(ctx, "one"), await effect(ctx, "two")
        await OUTSIDE.get().moment(3)
        return {"done": done}

    @workflow.step(after=())
    @told
    async def right(ctx: StepContext) -> object:
        answer = await ctx.interrupt(InterruptRequest(reason="Right?", timeout=timedelta(seconds=9)))
        return decided(answer) if answer.approved else refuse(answer)

    @workflow.step(after=("left", "middle", "right"))
    @told
    async def join(ctx: StepContext) -> object:
        return {"joined": sorted(ctx.outputs), "effect": await effect(ctx, "join")}

    return workflow


def routed() -> Workflow:
    """A gate whose options lead back, ahead, and elsewhere when nobody decides."""
    workflow = Workflow("routed")

    @workflow.step
    @told
    async def draft(ctx: StepContext) -> object:
        return {"visit": ctx.visit, "drawn": await effect(ctx, "draw")}

    routes = {"again": "draft", "escalate": "boss", "timeout": "boss"}
    gate = Gate(
        lambda ctx: f"Good, in visit {ctx.visit}?",
        options=("approve", "reject", "again", "escalate"),
        timeout=timedelta(seconds=12),
        routes=routes,
    )
    workflow.add("gate", gate, after="draft")
    workflow.add("boss", Gate("The boss too?", data={"robot": True}), after="gate")

    @workflow.step(after=("gate", "boss"))
    @told
    async def publish(ctx: StepContext) -> object:
        return {"published": await effect(ctx, "publish")}

    return workflow


def looping() -> Workflow:
    """A loop by `back()`: each visit asks anew and does its effects anew."""
    workflow = Workflow("looping")

    @workflow.step
    @told
    async def work(ctx: StepContext) -> object:
        return {"visit": ctx.visit, "worked": await effect(ctx, "work")}

    @workflow.step
    @told
    async def look(ctx: StepContext) -> object:
        answer = await ctx.interrupt(InterruptRequest(reason="Is it done?", options=("yes", "more")))
        return {**decided(answer), "looked": await effect(ctx, "look")}

    workflow.back(
        "look", to="work", when=lambda ctx: ctx.outputs["look"]["option"] == "more" and ctx.outputs["work"]["visit"] < 4
    )

    @workflow.step
    @told
    async def end(ctx: StepContext) -> object:
        return {"visits": ctx.outputs["work"]["visit"]}

    return workflow


def conditional() -> Workflow:
    """Steps that an answer lets run or skips, and a join behind them."""
    workflow = Workflow("conditional")

    @workflow.step
    @told
    async def ask(ctx: StepContext) -> object:
        answer = await ctx.interrupt(InterruptRequest(reason="Which one?", options=("first", "second", "neither")))
        return decided(answer)

    async def is_second(ctx: StepContext) -> bool:
        await OUTSIDE.get().moment()
        return bool(ctx.outputs["ask"]["option"] == "second")

    @workflow.step(after="ask", when=lambda ctx: ctx.outputs["ask"]["option"] == "first")
    @told
    async def first(ctx: StepContext) -> object:
        return {"did": await effect(ctx, "first")}

    @workflow.step(after="ask", when=is_second)
    @told
    async def second(ctx: StepContext) -> object:
        return StepResult.skipped() if ctx.attempt > 5 else {"did": await effect(ctx, "second")}

    @workflow.step(after=("first", "second"))
    @told
    async def join(ctx: StepContext) -> object:
        return {"ran": sorted(set(ctx.outputs) & {"first", "second"})}

    return workflow


def deadlines() -> Workflow:
    """Time that runs out: with a default option, with an error that is caught, and in the raising style."""
    workflow = Workflow("deadlines")

    @workflow.step(after=())
    @told
    async def with_default(ctx: StepContext) -> object:
        request = InterruptRequest(reason="By default?", timeout=timedelta(seconds=5), default_option="approve")
        answer = await ctx.interrupt(request)
        return decided(answer) if answer.approved else refuse(answer)

    @workflow.step(after=())
    @told
    async def caught(ctx: StepContext) -> object:
        try:
            answer = await ctx.interrupt(InterruptRequest(reason="In time?", timeout=timedelta(seconds=4)))
        except InterruptTimedOutError as late:
            return {"late": late.interrupt_id, "effect": await effect(ctx, "late")}
        return decided(answer)

    @workflow.step(after=())
    @told
    async def raised(ctx: StepContext) -> object:
        if ctx.response is None:
            raise InterruptException(InterruptRequest(reason="Raised?", timeout=timedelta(seconds=6)))
        return decided(ctx.response)

    return workflow


def styles() -> Workflow:
    """A question that is raised, one that is returned, and one that a robot answers."""
    workflow = Workflow("styles")

    @workflow.step
    @told
    async def raises(ctx: StepContext) -> object:
        await effect(ctx, "before")
        if ctx.response is None:
            raise InterruptException(InterruptRequest(reason="Raised?"))
        return decided(ctx.response) if ctx.response.approved else refuse(ctx.response)

    @workflow.step
    @told
    async def returns(ctx: StepContext) -> object:
        if ctx.response is None:
            return StepResult.interrupted(InterruptRequest(reason="Returned?", options=("fine", "well")))
        return {**decided(ctx.response), "effect": await effect(ctx, "after")}

    workflow.add("robot", Gate("A robot's?", data={"robot": True}))
    return workflow


def drifting() -> Workflow:
    """A question that is another one when the step runs again: the old answer does not count."""
    workflow = Workflow("drifting")

    @workflow.step
    @told
    async def ask(ctx: StepContext) -> object:
        # The world changes twice while the step runs again and again.
        version = min(OUTSIDE.get().count(f"drift {ctx.run_id}"), 3)
        answer = await ctx.interrupt(InterruptRequest(reason="As it is now?", data={"version": version}))
        if not answer.approved:
            return refuse(answer)
        assert answer.request is not None
        assert answer.request.data == {"version": version}, "an answer to another question"
        return {**decided(answer), "shipped": await effect(ctx, "ship")}

    return workflow


ALL: Mapping[str, Callable[[], Workflow]] = {
    make.__name__: make
    for make in (
        linear,
        several,
        branches,
        routed,
        looping,
        conditional,
        deadlines,
        styles,
        drifting,
        failing,
        patient,
        retrying,
        nested,
    )
}
