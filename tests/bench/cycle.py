"""Steps and approval cycles a second on SQLite with synchronous=FULL, beside two bare loops of the least such work.

    python -m tests.bench.cycle [--seconds 3] [--rounds 3]

Figures of one run are comparable with each other, not with another machine's.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

import click

from spectra_bot import InterruptRequest, RunStatus, StepContext, Workflow, WorkflowRunner
from spectra_bot.collector import settle_in

STEPS = 20
AT_ONCE = 100


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


def rounds(folder: Path, seconds: float, count: int) -> Iterator[str]:
    """The report: each figure once a round, side by side, and the medians over the rounds."""
    alone, grouped, one, many = [], [], [], []
    for number in range(count):
        alone.append(bare_loop(folder / f"bare-alone-{number}.db", seconds, 1))
        one.append(asyncio.run(steps_a_second(folder / f"chain-one-{number}.db", seconds, 1)))
        grouped.append(bare_loop(folder / f"bare-grouped-{number}.db", seconds, AT_ONCE))
        many.append(asyncio.run(steps_a_second(folder / f"chain-many-{number}.db", seconds, AT_ONCE)))
        yield f"round {number + 1}: {one[-1] / alone[-1]:.2f} one run, {many[-1] / grouped[-1]:.2f} with {AT_ONCE} runs"
    yield ""
    yield f"bare loop, a commit a step     {median(alone):10,.0f} steps/s"
    yield f"1 run at a time                {median(one):10,.0f} steps/s   {median_ratio(one, alone):5.2f} of it"
    yield f"bare loop, {AT_ONCE} steps a commit  {median(grouped):10,.0f} steps/s"
    yield f"{AT_ONCE} runs at once             {median(many):10,.0f} steps/s   {median_ratio(many, grouped):5.2f} of it"
    for at_once in (1, AT_ONCE):
        rate, resumes = asyncio.run(cycles_a_second(folder / f"approval-{at_once}.db", seconds, at_once))
        percentiles = quantiles(resumes, n=100)
        yield (
            f"{at_once:3} approval(s) at once         {rate:10,.0f} cycles/s   "
            f"resume p50 {percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.1f} ms"
        )


def median_ratio(ours: Sequence[float], bare: Sequence[float]) -> float:
    """The median of the ratios round by round, for a machine's speed drifts."""
    return median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))


@click.command(help=__doc__)
@click.option("--seconds", default=3.0, show_default=True, help="How long each figure is measured, each round.")
@click.option("--rounds", "count", default=3, show_default=True, help="How often.")
def main(seconds: float, count: int) -> None:
    settle_in()  # as `spectra-bot serve` does
    with tempfile.TemporaryDirectory() as folder:
        for line in rounds(Path(folder), seconds, count):
            click.echo(line)


if __name__ == "__main__":
    main()
