"""A workflow that asks, a handler that delivers, and a wait for what both lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    StepContext,
    Workflow,
)


def asking(timeout: timedelta | None = None) -> Workflow:
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?", timeout=timeout))

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    return workflow


class Desk:
    """A handler that delivers, and notes what it was given."""

    def __init__(self) -> None:
        self.handled: list[str] = []

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.handled.append(request.id)
        return Delivered({"desk": 1})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)
