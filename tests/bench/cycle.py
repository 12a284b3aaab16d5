"""Steps and approval cycles a second on SQLite with synchronous=FULL, beside two bare loops of the least such work.

    python -m tests.bench.cycle [--seconds 3]

Figures of one run are comparable with each other, not with another machine's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from spectra_bot import InterruptRequest, RunStatus, StepContext, Workflow, WorkflowRunner

STEPS = 20


def bare_loop(path: Path, seconds: float, group: int) -> float:
    """Steps a second of a loop that stores an output and moves a run's row, `group` steps a commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table runs (run_id text primary key, seq integer, status text)")
    connection.execute(
        "create table events (run_id text, seq integer, body text, primary key (run_id, seq)) without rowid"
    )
    connection.executemany("insert into runs values (?, 0, 'running')", [(f"r-{index}",) for index in range(group)])
    seq = 0
    ends = time.perf_counter() + seconds
    started = time.perf_counter()
    while time.perf_counter() < ends:
        seq += 1
        connection.execute("begin immediate")
        for index in range(group):
            run_id = f"r-{index}"
            body = json.dumps({"step": "work", "output": {"number": seq}})
            connection.execute(
                "update runs set seq = ?, status = 'running' where run_id = ? and seq = ?", (seq, run_id, seq - 1)
            )
            connection.execute("insert into events values (?, ?, ?)", (run_id, seq, body))
        connection.execute("commit")
    rate = seq * group / (time.perf_counter() - started)
    connection.close()
    return rate


def chain() -> Workflow:
    """A workflow of small steps in a row."""
    workflow = Workflow("chain")
    for index in range(STEPS):

        async def work(ctx: StepContext, number: int = index) -> dict[str, int]:
            return {"number": number}

        workflow.add(f"step-{index}", work)
    return workflow


def approval() -> Workflow:
    """A workflow that asks once."""
    workflow = Workflow("approval")

    @workflow.step
    async def ask(ctx: StepContext) -> dict[str, str | None]:
        response = await ctx.interrupt(InterruptRequest(reason="Go on?", data={"plan": "replicas -> 3"}))
        return {"by": response.responder}

    return workflow


async def steps_a_second(path: Path, seconds: float, at_once: int) -> float:
    """Finished steps a second with so many runs at the same time."""
    done = 0
    async with WorkflowRunner(workflows=[chain()], database=str(path)) as runner:
        ends = time.perf_counter() + seconds

        async def one_after_another() -> None:
            nonlocal done
            while time.perf_counter() < ends:
                result = await runner.run("chain")
                assert result.status is RunStatus.COMPLETED
                done += STEPS

        started = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
        return done / (time.perf_counter() - started)


async def cycles_a_second(path: Path, seconds: float, at_once: int) -> tuple[float, list[float]]:
    """Start-interrupt-resume-finish cycles a second, and how long each resume took in seconds."""
    resumes: list[float] = []
    async with WorkflowRunner(workflows=[approval()], database=str(path)) as runner:
        ends = time.perf_counter() + seconds

        async def one_after_another() -> None:
            while time.perf_counter() < ends:
                result = await runner.run("approval")
                [request] = result.pending
                answer = request.answer("approve", responder="cli:bench")
                began = time.perf_counter()
                result = await runner.resume(result.run_id, answer)
                resumes.append(time.perf_counter() - began)
                assert result.status is RunStatus.COMPLETED

        started = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
        return len(resumes) / (time.perf_counter() - started), resumes


def figures(folder: Path, seconds: float) -> Iterator[str]:
    """The report, line by line."""
    alone = bare_loop(folder / "bare-alone.db", seconds, 1)
    grouped = bare_loop(folder / "bare-grouped.db", seconds, 100)
    yield f"bare loop, a commit a step      {alone:10,.0f} steps/s"
    yield f"bare loop, 100 steps a commit   {grouped:10,.0f} steps/s"
    for at_once, beside, name in ((1, alone, "a commit a step"), (100, grouped, "grouped")):
        rate = asyncio.run(steps_a_second(folder / f"chain-{at_once}.db", seconds, at_once))
        yield (
            f"{at_once:3} run(s) at once               {rate:10,.0f} steps/s   "
            f"{rate / beside:6.2f} of the bare loop, {name}"
        )
    for at_once in (1, 100):
        rate, resumes = asyncio.run(cycles_a_second(folder / f"approval-{at_once}.db", seconds, at_once))
        percentiles = statistics.quantiles(resumes, n=100)
        yield (
            f"{at_once:3} approval(s) at once          {rate:10,.0f} cycles/s   "
            f"resume p50 {percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.1f} ms"
        )


@click.command(help=__doc__)
@click.option("--seconds", default=3.0, show_default=True, help="How long each figure is measured.")
def main(seconds: float) -> None:
    gc.freeze()  # as `spectra-bot serve` does: what is loaded once is not looked through again and again
    with tempfile.TemporaryDirectory() as folder:
        for line in figures(Path(folder), seconds):
            click.echo(line)


if __name__ == "__main__":
    main()
