"""A board to which questions are pinned, from which people may tear them, and who looks after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock

Receipt = Mapping[str, JsonValue]


class SlowDownError(Exception):
    """What a rate limit looks like to the engine."""

    retry_after_s = 30.0


class Board:
    """A handler that pins questions to a board, from which people may tear them."""

    name = "board"

    def __init__(self, clock: ManualClock) -> None:
        self.pinned: list[str] = []
        self.torn: set[int] = set()
        self.again: list[Receipt | None] = []
        self.settled: list[Receipt] = []
        self.looks: list[float] = []
        self.seen: list[JsonValue] = []
        self.problem: Exception | None = None
        self.look: Callable[[], Awaitable[None]] | None = None
        self._clock = clock

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.pinned.append(request.reason)
        return Delivered({"pin": len(self.pinned)})

    async def handle_again(self, request: InterruptRequest, lost: Receipt | None) -> Delivered:
        self.again.append(lost)
        return await self.handle(request)

    async def stands(self, request: InterruptRequest, receipt: Receipt) -> bool:
        self.looks.append(self._clock.monotonic())
        self.seen.append(receipt["pin"])
        if self.look is not None:
            await self.look()
        if self.problem is not None:
            raise self.problem
        return receipt["pin"] not in self.torn

    async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: Receipt) -> None:
        self.settled.append(receipt)


def asking(name: str = "asking") -> Workflow:
    workflow = Workflow(name)
    workflow.add("gate", HumanGateStep("Ship it?"))
    return workflow


def runner_on(
    database: str, clock: ManualClock, *handlers: IInterruptHandler, workflow: Workflow | None = None
) -> WorkflowRunner:
    return WorkflowRunner(workflows=[workflow or asking()], database=database, handlers=handlers, clock=clock)


async def pass_time(
    clock: ManualClock, runner: WorkflowRunner, until: Callable[[], bool], step: timedelta = timedelta(seconds=1)
) -> None:
    """Move the clock by small steps, and let the engine follow, until something is so."""
    async with asyncio.timeout(20):
        while not until():
            clock.advance(step)
            for _ in range(5):
                await runner.list_runs(limit=1)
