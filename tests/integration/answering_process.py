"""A process of its own beside others on one database: `python -m tests.integration.answering_process ROLE DB [NAME]`.

`answer` answers each interrupt id that it reads and says who won; `serve` carries runs on until it is stopped;
`start` starts a run and then works on it until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from spectra_bot import AlreadyAnsweredError, HumanGateStep, StepContext, Workflow, WorkflowRunner

LEASE_S = 2.0

shipping = Workflow("shipping")


@shipping.step
async def plan(ctx: StepContext) -> str:
    return "plan"


shipping.add("gate", HumanGateStep("Ship it?"))


@shipping.step
async def ship(ctx: StepContext) -> str:
    return "shipped"


hanging = Workflow("hanging")


@hanging.step
async def hang(ctx: StepContext) -> str:
    """Does its effect, then stands still the first time; a second process finds the effect stored."""
    marks = Path(ctx.inputs["marks"])

    def mark() -> str:
        with marks.open("a") as file:
            file.write("effect\n")
        return "done"

    await ctx.once("mark", mark)
    if marks.read_text().count("run") == 0:
        with marks.open("a") as file:
            file.write("run\n")
        say("hanging")
        await asyncio.Event().wait()
    return "went on"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def answer(database: str, name: str) -> None:
    async with WorkflowRunner(database=database, recover=False) as runner:
        reader = await lines()
        say("ready")
        while line := (await reader.readline()).decode().strip():
            request = (await runner.get_interrupt(line)).request
            try:
                await runner.answer(line, request.answer("approve", responder=f"cli:{name}"))
                say(f"won {name}")
            except AlreadyAnsweredError as error:
                say(f"lost {(error.answered_by or '').removeprefix('cli:')}")


async def serve(database: str) -> None:
    async with WorkflowRunner(workflows=[shipping, hanging], database=database, lease_s=LEASE_S):
        reader = await lines()
        say("ready")
        await reader.read()


async def start(database: str, marks: str) -> None:
    async with WorkflowRunner(workflows=[shipping, hanging], database=database, lease_s=LEASE_S) as runner:
        say(await runner.start("hanging", {"marks": marks}))
        await asyncio.Event().wait()


def main() -> None:
    role, database, *rest = sys.argv[1:]
    asyncio.run({"answer": answer, "serve": serve, "start": start}[role](database, *rest))  # type: ignore[operator]  # roles differ in arguments


if __name__ == "__main__":
    main()
