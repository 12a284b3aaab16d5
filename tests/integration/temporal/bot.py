"""A worker of its own on Temporal, until it is killed.

    python -m tests.integration.temporal.bot ADDRESS TASK_QUEUE LEASE_S JOURNAL [post]

It says `open`, and starts the run that it reads the workflow and the id of. A step that it executes stands still where
the same step in another process goes on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from tests.integration.answering_process import say

TIMED_S = 2.0

_STANDS_STILL = False
"""Set in the process that is to be killed."""
_JOURNAL: list[Path] = []

crashing = Workflow("crashing", description="Its worker is killed while it works")


def record(what: str) -> str:
    with _JOURNAL[0].open("a") as journal:
        journal.write(f"{what} {os.getpid()}\n")
    return what


@crashing.step
async def work(ctx: StepContext) -> str:
    record("work")
    shipped = str(await ctx.once("ship", lambda: record("ship")))
    if _STANDS_STILL:
        say("at work")
        await asyncio.Event().wait()
    return shipped


blocking = Workflow("blocking", description="Its step blocks the event loop, just before its effect")


@blocking.step
async def block(ctx: StepContext) -> str:
    record("block")
    if _STANDS_STILL:
        say("blocked")
        sys.stdin.readline()
    try:
        return str(await ctx.once("effect", lambda: record("effect")))
    except BaseException as error:  # whatever is first to see that the step runs elsewhere
        say(type(error).__name__)
        raise


taken_over = Workflow("taken-over", description="Its worker is silent in its effect, and ends it later")
MAY_GO_ON = asyncio.Event()
"""Set when the other worker has stored the effect."""


@taken_over.step
async def work_long(ctx: StepContext) -> str:
    async def effect() -> str:
        if _STANDS_STILL:
            say("at work")
            await asyncio.to_thread(sys.stdin.readline)
        return f"{record('effect')} of {'the first' if _STANDS_STILL else 'the heir'}"

    if not _STANDS_STILL:
        record("taken over")
        await MAY_GO_ON.wait()
    return str(await ctx.once("effect", effect))


timed = Workflow("timed", description="Nobody answers its question in time")
timed.add("gate", HumanGateStep("Soon?", timeout=timedelta(seconds=TIMED_S), routes={"timeout": "go_on"}))


@timed.step(after="gate")
async def go_on(ctx: StepContext) -> str:
    return record("gone-on")


timed.add("aside", HumanGateStep("Still there?"), after=())

asking = Workflow("asking")
asking.add("gate", HumanGateStep("Ship it?"))


@asking.step
async def ship(ctx: StepContext) -> str:
    return record("ship")


class Post:
    """Delivers questions, or is killed while it does."""

    name = "post"

    async def handle(self, request: InterruptRequest) -> Delivered:
        if _STANDS_STILL:
            say(request.id)
            await asyncio.Event().wait()
        return Delivered({"id": request.id})

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        record(f"settled-{receipt['id']}")


def runner(
    address: str, task_queue: str, lease_s: float, journal: Path, handlers: Sequence[Post] = ()
) -> WorkflowRunner:
    _JOURNAL[:] = [journal]
    options = TemporalOptions(address=address, task_queue=task_queue)
    workflows = [crashing, blocking, taken_over, timed, asking]
    return WorkflowRunner(workflows=workflows, handlers=handlers, temporal=options, lease_s=lease_s)


async def main(address: str, task_queue: str, lease_s: str, journal: str, *handlers: str) -> None:
    global _STANDS_STILL  # noqa: PLW0603  it is this process that stands still
    _STANDS_STILL = True
    async with runner(address, task_queue, float(lease_s), Path(journal), [Post() for _ in handlers]) as bot:
        say("open")
        workflow, run_id = (await asyncio.to_thread(sys.stdin.readline)).split()
        await bot.start(workflow, run_id=run_id)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
