"""A worker of one build, until it is told to stop.

    python -m tests.integration.temporal.build ADDRESS TASK_QUEUE [BUILD_ID]

It says `open`, and stops in order at a line that it reads. Its steps return the build that executed them, and its
handler says which build looks whether what it delivered still stands; a build whose name ends in `mute` can't deliver.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from tests.integration.answering_process import say
from tests.integration.processes import Process

LEASE_S = 2.0


def shipping(build: str | None) -> Workflow:
    workflow = Workflow("shipping")

    @workflow.step
    async def plan(ctx: StepContext) -> str | None:
        return build

    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> str | None:
        return build

    return workflow


class Desk:
    """Delivers with the name of its build."""

    name = "desk"

    def __init__(self, build: str | None) -> None:
        self._build = build

    async def handle(self, _request: InterruptRequest) -> Delivered:
        if self._build is not None and self._build.endswith("mute"):
            raise ConnectionError(f"{self._build} can't deliver")
        return Delivered({"build": self._build})

    async def stands(self, _request: InterruptRequest, _receipt: Mapping[str, JsonValue]) -> bool:
        return True


async def main(address: str, task_queue: str, build: str | None = None) -> None:
    options = TemporalOptions(address=address, task_queue=task_queue, build_id=build, deployment=task_queue)
    async with WorkflowRunner(workflows=[shipping(build)], handlers=[Desk(build)], temporal=options, lease_s=LEASE_S):
        say("open")
        await asyncio.to_thread(sys.stdin.readline)


@contextlib.asynccontextmanager
async def worker(address: str, task_queue: str, *build: str) -> AsyncIterator[None]:
    """A process of that build, of the deployment that is named as the task queue; stopped in order."""
    async with Process.started("tests.integration.temporal.build", address, task_queue, *build) as process:
        assert await process.read() == "open"
        yield
        process.write("stop")
        await asyncio.wait_for(process.process.wait(), 60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
