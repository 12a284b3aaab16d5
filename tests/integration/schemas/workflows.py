"""The workflows and the handler whose runs the kept schemas hold, and which carry those runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    StepContext,
    StepResult,
    Workflow,
)

DEADLINE = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class World:
    """What the steps act on."""

    is_broken: bool = False
    """`ship` raises after its effect."""
    hangs: bool = False
    """`ship` stands still after its effect."""
    is_deaf: bool = False
    """The board closes nothing."""
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    shipped: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Board:
    """A handler with receipts, on which questions stand until they are settled."""

    world: World
    name: str = "board"

    async def handle(self, request: InterruptRequest) -> Delivered:
        return Delivered({"note": f"{request.run_id} {request.key or request.step}"})

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        if self.world.is_deaf:
            raise ConnectionError("the board is away")
        self.world.settled.append(str(receipt["note"]))


def workflows(world: World) -> list[Workflow]:
    """Every workflow of the kept runs."""
    return [_release(world), _hurrying(), _asking()]


def _release(world: World) -> Workflow:
    release = Workflow("release")

    @release.step
    async def plan(ctx: StepContext) -> JsonValue:
        return {"changes": 2}

    @release.step
    async def approve(ctx: StepContext) -> StepResult | JsonValue:
        response = await ctx.interrupt(
            InterruptRequest(
                reason="Ship it?", data={"plan": ctx.outputs["plan"]}, options=("approve", "reject", "modify")
            )
        )
        if not response.approved:
            return StepResult.failed(f"{response.option} by {response.responder}")
        return {"by": response.responder}

    @release.step
    async def ship(ctx: StepContext) -> str:
        def effect() -> str:
            world.shipped.append(ctx.run_id)
            return "shipped"

        shipped = await ctx.once("ship", effect)
        if world.is_broken:
            raise RuntimeError("the cluster is on fire")
        if world.hangs:
            world.hanging.set()
            await asyncio.Event().wait()
        return str(shipped)

    return release


def _hurrying() -> Workflow:
    hurrying = Workflow("hurrying")
    gate = HumanGateStep("In time?", timeout=DEADLINE, default_option="approve")
    hurrying.add("gate", gate)

    @hurrying.step
    async def after(ctx: StepContext) -> str:
        return "in time"

    return hurrying


def _asking() -> Workflow:
    asking = Workflow("asking")

    @asking.step
    async def ask(ctx: StepContext) -> list[str | None]:
        answers = await asyncio.gather(
            ctx.interrupt(InterruptRequest(reason="Left?", key="left")),
            ctx.interrupt(InterruptRequest(reason="Right?", key="right")),
        )
        return [answer.option for answer in answers]

    return asking
