"""A process of its own that works on runs until it is killed.

    python -m tests.integration.working_process DB JOURNAL LEASE_S [WORKFLOW COUNT]

It says `loaded`, and opens the database when it reads a line; it says `open`, and starts so many runs,
`run-0` and so on.
A step that it started stands still where the same step in another process goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from spectra_bot import HumanGateStep, LeaseLostError, StepContext, Workflow, WorkflowRunner
from tests.integration.answering_process import say

_STANDS_STILL = False
"""Set in a process that starts runs."""

crashing = Workflow("crashing", description="Its process is killed while it works")


@crashing.step
async def before(ctx: StepContext) -> str:
    return record(ctx, "before")


@crashing.step
async def work(ctx: StepContext) -> str:
    record(ctx, "work")
    if _STANDS_STILL:
        say("at work")
        await asyncio.Event().wait()
    return "worked"


@crashing.step
async def behind(ctx: StepContext) -> str:
    return record(ctx, "behind")


blocking = Workflow("blocking", description="Its step blocks the event loop, just before its effect")


@blocking.step
async def block(ctx: StepContext) -> str:
    record(ctx, "block")
    if _STANDS_STILL:
        say("blocked")
        sys.stdin.readline()
    try:
        return str(await ctx.once("effect", lambda: record(ctx, "effect")))
    except (LeaseLostError, asyncio.CancelledError):  # whichever is first to see that the run is lost
        say("not begun")
        raise


asking = Workflow("asking", description="Its question is answered from outside")
asking.add("gate", HumanGateStep("Ship it?"))


@asking.step
async def ship(ctx: StepContext) -> str:
    return record(ctx, "ship")


deadly = Workflow("deadly", description="Its step kills its process")
deadly.add("gate", HumanGateStep("Ship it?"))


@deadly.step
async def die(ctx: StepContext) -> None:
    record(ctx, "die")
    if __name__ == "__main__":  # never the tests' own process
        os.kill(os.getpid(), signal.SIGKILL)


WORKFLOWS = (crashing, blocking, asking, deadly)


def record(ctx: StepContext, word: str) -> str:
    """Add a line to the journal; it is on disk when this returns."""
    line = f"{ctx.run_id} {word} {os.getpid()}"
    journal = os.open(ctx.inputs["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, f"{line}\n".encode())
        os.fsync(journal)
    finally:
        os.close(journal)
    return line


def recorded(journal: Path) -> list[tuple[str, str, int]]:
    """Run, word and process of each line."""
    lines = [line.split() for line in journal.read_text().splitlines()]
    return [(run_id, word, int(pid)) for run_id, word, pid in lines]


async def live(database: str, journal: str, lease_s: float, workflow: str, count: int) -> None:
    async with WorkflowRunner(workflows=WORKFLOWS, database=database, lease_s=lease_s) as runner:
        say("open")
        for number in range(count):
            await runner.start(workflow, {"journal": journal}, run_id=f"run-{number}")
        await asyncio.Event().wait()


def main() -> None:
    global _STANDS_STILL  # noqa: PLW0603  the steps have no other way to know in which process they are
    database, journal, lease_s, *rest = sys.argv[1:]
    workflow, count = rest or ("", "0")
    _STANDS_STILL = bool(workflow)
    say("loaded")
    sys.stdin.readline()
    asyncio.run(live(database, journal, float(lease_s), workflow, int(count)))


if __name__ == "__main__":
    main()
