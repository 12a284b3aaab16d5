"""Steps that tell the world outside that they run, and what they do to it."""

from __future__ import annotations

import functools

from pydantic import JsonValue

from spectra_bot import (
    HumanGateStep,
    InterruptResponse,
    StepContext,
    StepResult,
)
from spectra_bot.step_code import StepFunction
from tests.chaos.simulation.outside import OUTSIDE

PLANNED = "as planned"
"""Stands in the error of a step that is meant to fail."""
REFUSED = "refused"
"""Stands in the error of a step whose question was not approved."""


def told(body: StepFunction) -> StepFunction:
    """Tell the world that a step runs, and let other things happen before and after."""

    @functools.wraps(body)
    async def tells(ctx: StepContext) -> object:
        outside = OUTSIDE.get()
        outside.executing(ctx)
        await outside.moment()
        result = await body(ctx)
        await outside.moment(0.1)
        return result

    return tells


class Gate(HumanGateStep):
    """The product's gate, told to the world."""

    async def execute(self, ctx: StepContext) -> StepResult:
        OUTSIDE.get().executing(ctx)
        await OUTSIDE.get().moment(0.1)
        return await super().execute(ctx)


async def effect(ctx: StepContext, key: str, *, fails: bool = False) -> JsonValue:
    """An effect that takes its time before it happens, and before it is told."""

    async def does() -> dict[str, object]:
        outside = OUTSIDE.get()
        await outside.moment()
        if fails:
            raise RuntimeError(f"effect failed {PLANNED}")
        number = outside.does(ctx, key)
        await outside.moment()
        return {"number": number, "id": ctx.effect_id(key)}

    stored: JsonValue = await ctx.once(key, does)
    return stored


def decided(response: InterruptResponse) -> dict[str, object]:
    """An answer as a step's output, to be compared with the log."""
    return {
        "interrupt_id": response.interrupt_id,
        "status": response.status.value,
        "option": response.option,
        "responder": response.responder,
    }


def refuse(response: InterruptResponse) -> StepResult:
    """The end of a step whose question was not approved."""
    return StepResult.failed(f"{REFUSED}: {response.option} by {response.responder}")
