"""What an agent leaves in the store: it grows with its messages, not with their square.

python -m tests.bench.agent
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click
from pydantic_ai import RunContext

from spectra_bot import RunStatus, StepContext, WorkflowRunner
from spectra_bot.agent import AgentLimits
from tests.conformance.agents import Script, agent_of, call, workflow_of

ITERATIONS = (50, 100, 200, 400)


async def look(ctx: RunContext[StepContext], what: str) -> str:
    """A tool whose result has about 100 characters."""
    return f"{what} " * 20


async def stored(path: Path, iterations: int) -> tuple[int, float]:
    """Bytes of all events of an agent with so many iterations, and the seconds it took."""
    script = Script(*([call("look", "a", what=f"{number:03}")] for number in range(iterations - 1)), "over")
    workflow = workflow_of(agent_of(script, look), limits=AgentLimits(iterations=None))
    began = time.perf_counter()
    async with WorkflowRunner(workflows=[workflow], database=str(path)) as runner:
        result = await runner.run("agent")
    assert result.status is RunStatus.COMPLETED, result.error
    took = time.perf_counter() - began
    with closing(sqlite3.connect(path)) as reading:
        [(size,)] = reading.execute("select sum(length(body)) from events")
    return int(size), took


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for iterations in ITERATIONS:
            size, took = asyncio.run(stored(Path(folder) / f"{iterations}.db", iterations))
            click.echo(f"{iterations:4} iterations {size:10,} bytes, {size / iterations:7,.0f} each, in {took:.1f} s")


if __name__ == "__main__":
    main()
