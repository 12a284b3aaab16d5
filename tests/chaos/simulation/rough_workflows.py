"""Workflows that fail, hang, are run again or cancelled, and one inside another."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from spectra_bot import (
    InterruptRequest,
    RetryPolicy,
    StepContext,
    Workflow,
)
from tests.chaos.simulation.outside import OUTSIDE
from tests.chaos.simulation.told_steps import PLANNED, Gate, decided, effect, told


def failing() -> Workflow:
    """A step and an effect that fail at first, beside a branch that waits for people."""
    workflow = Workflow("failing")
    workflow.add("gate", Gate("Begin?"))

    @workflow.step(after="gate")
    @told
    async def fails(ctx: StepContext) -> object:
        kept = await effect(ctx, "kept")
        await effect(ctx, "fails", fails=OUTSIDE.get().count(f"fails {ctx.run_id}") < 2)
        if ctx.attempt < 3:
            raise RuntimeError(f"step failed {PLANNED}")
        return {"kept": kept}

    @workflow.step(after="gate")
    @told
    async def beside(ctx: StepContext) -> object:
        answer = await ctx.interrupt(InterruptRequest(reason="Beside?", options=("good", "bad")))
        return {**decided(answer), "effect": await effect(ctx, "beside")}

    return workflow


def patient() -> Workflow:
    """A step that works for long, with time to clean up, beside an open question: to be cancelled."""
    workflow = Workflow("patient")

    @workflow.step(after=())
    @told
    async def works(ctx: StepContext) -> object:
        try:
            await asyncio.sleep(6)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            raise
        return {"worked": await effect(ctx, "work")}

    workflow.add("gate", Gate("Meanwhile?"), after=())
    return workflow


def retrying() -> Workflow:
    """Steps that are run again by themselves: one raises twice behind an effect and a question, one hangs at first."""
    workflow = Workflow("retrying")
    policy = RetryPolicy(attempts=3, first_pause=timedelta(seconds=1), longest_pause=timedelta(seconds=3))

    @workflow.step(retry=policy)
    @told
    async def raises(ctx: StepContext) -> object:
        kept = await effect(ctx, "kept")
        answer = await ctx.interrupt(InterruptRequest(reason="Now?", options=("now", "soon")))
        if ctx.attempt < 3:
            raise RuntimeError(f"step raised {PLANNED}")
        return {**decided(answer), "kept": kept, "after": await effect(ctx, "after")}

    @workflow.step(retry=policy, timeout=timedelta(seconds=4))
    @told
    async def hangs(ctx: StepContext) -> object:
        kept = await effect(ctx, "kept")
        if OUTSIDE.get().count(f"hangs {ctx.run_id}") == 1:
            await asyncio.sleep(60)
        return {"kept": kept}

    @workflow.step(retry=policy)
    @told
    async def gives_up(ctx: StepContext) -> object:
        if ctx.attempt < 5:
            raise RuntimeError(f"step raised {PLANNED}")
        return {"attempt": ctx.attempt}

    return workflow


def nested() -> Workflow:
    """A workflow inside a workflow inside a workflow, each with questions and effects."""
    inner = Workflow("inner")

    @inner.step
    @told
    async def look(ctx: StepContext) -> object:
        return {"for": ctx.inputs["n"], "looked": await effect(ctx, "look")}

    inner.add("gate", Gate("Inside?", options=("approve", "reject", "again"), routes={"again": "look"}))

    middle = Workflow("middle")
    middle.add("before", Gate("Before?", timeout=timedelta(seconds=8), default_option="approve"))
    middle.add("deep", inner, inputs=lambda ctx: {"n": 7})

    outer = Workflow("nested")

    @outer.step
    @told
    async def begin(ctx: StepContext) -> object:
        return {"begun": await effect(ctx, "begin")}

    outer.add("left", middle, after="begin")
    outer.add("right", inner, after="begin", when=lambda ctx: ctx.inputs["n"] == 1)

    @outer.step(after=("left", "right"))
    @told
    async def end(ctx: StepContext) -> object:
        return {"ended": await effect(ctx, "end"), "seen": sorted(ctx.outputs)}

    return outer
