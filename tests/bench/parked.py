"""What parked runs cost: the process's memory and start, lists, a resume, and how late the event loop is meanwhile.

    python -m tests.bench.parked [--runs 10000] [--db FILE]

Each figure comes from a process of its own. A file named with --db is kept, filled up to so many runs, and used again.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import timedelta
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TypeVar

import click

from spectra_bot import (
    Delivered,
    InterruptRequest,
    InterruptResponse,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.collector import settle_in
from tests.bench.lag import in_words, lags

Result = TypeVar("Result")

AT_ONCE = 100
RESUMES = 200
WATCHED_S = 5.0
"""How long a process that does nothing is watched."""
WORK_S = 5.0
LISTS = 20


class Desk:
    """A handler that delivers at once, as Slack does."""

    async def handle(self, request: InterruptRequest) -> Delivered:
        return Delivered({"channel": "C0123456789", "ts": request.id})

    async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: object) -> None: ...


def approval() -> Workflow:
    """A workflow that asks once, with a deadline."""
    workflow = Workflow("approval")

    @workflow.step
    async def ask(ctx: StepContext) -> dict[str, str | None]:
        response = await ctx.interrupt(
            InterruptRequest(
                reason="Deployment plan requires approval",
                data={"plan": {"service": "web", "changes": ["replicas: 2 -> 3", "image: 1.4.1 -> 1.4.2"]}},
                options=("approve", "reject", "modify"),
                timeout=timedelta(days=30),
            )
        )
        return {"by": response.responder}

    return workflow


def opened(path: str) -> WorkflowRunner:
    """A runner as `serve` opens one."""
    return WorkflowRunner(workflows=[approval()], database=path, handlers=[Desk()])


async def fill(path: str, runs: int) -> float:
    """Park runs until the file has so many; returns the seconds it took."""
    began = time.perf_counter()
    left = iter(range(runs - parked(path)))
    async with opened(path) as runner:

        async def one_after_another() -> None:
            for _ in left:
                result = await runner.run("approval")
                assert result.status is RunStatus.INTERRUPTED

        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


def parked(path: str) -> int:
    """How many questions wait in a file, which may not be there."""
    if not Path(path).exists():
        return 0
    with closing(sqlite3.connect(path)) as reading:
        [(count,)] = reading.execute("select count(*) from interrupts where status = 'pending'")
    return int(count)


async def watch(path: str) -> dict[str, str]:
    """Start on a file, do nothing for a while, list."""
    figures = {"memory before": memory()}
    async with lags() as starting:
        began = time.perf_counter()
        runner = opened(path)
        await runner.__aenter__()
        figures["start"] = f"{time.perf_counter() - began:.2f} s"
    async with lags() as watching:
        await asyncio.sleep(WATCHED_S)
    figures["loop's lag at the start"] = in_words(starting)
    figures["loop's lag while it waits"] = in_words(watching)
    for name, listing in (
        ("list 100 pending", lambda: runner.list_pending(limit=100)),
        ("list 100 runs", lambda: runner.list_runs(limit=100)),
        ("list 100 running runs", lambda: runner.list_runs(status=RunStatus.RUNNING, limit=100)),
    ):
        took = []
        for _ in range(LISTS):
            began = time.perf_counter()
            await listing()
            took.append(time.perf_counter() - began)
        figures[name] = in_words(took)
    figures["memory"] = memory()
    began = time.perf_counter()
    await runner.__aexit__(None, None, None)
    figures["stop"] = f"{time.perf_counter() - began:.2f} s"
    return figures


async def compare_resumes(path: str, few_path: str) -> dict[str, str]:
    """Resume runs that an earlier process parked, one here and one where there are few, in turn."""
    many: list[float] = []
    few: list[float] = []
    fresh: list[float] = []
    async with opened(path) as runner, opened(few_path) as beside:
        here = [request.run_id for request in await runner.list_pending(limit=RESUMES)]
        there = [request.run_id for request in await beside.list_pending(limit=RESUMES)]
        for run_id, other_id in zip(here, there, strict=True):
            many.append(await resumed(runner, run_id))
            few.append(await resumed(beside, other_id))
            fresh.append(await resumed(beside, (await beside.run("approval")).run_id))
    ratio = median(many) / median(few)
    to_fresh = median(many) / median(fresh)
    return {
        "resume": in_words(many),
        "resume of a few parked": f"{in_words(few)}: {ratio:.2f} times as long",
        "resume of one asked just now": f"{in_words(fresh)}: {to_fresh:.2f} times as long",
    }


async def resumed(runner: WorkflowRunner, run_id: str) -> float:
    """The seconds from an answer to the run's end."""
    answer = InterruptResponse.model_validate({"status": "approved", "responder": "cli:bench"})
    began = time.perf_counter()
    result = await runner.resume(run_id, answer)
    took = time.perf_counter() - began
    assert result.status is RunStatus.COMPLETED
    return took


async def work(path: str) -> dict[str, str]:
    """Start and answer runs beside the parked ones."""
    cycles = 0
    async with opened(path) as runner:
        ends = time.perf_counter() + WORK_S

        async def one_after_another() -> None:
            nonlocal cycles
            while time.perf_counter() < ends:
                await resumed(runner, (await runner.run("approval")).run_id)
                cycles += 1

        async with lags() as working:
            await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return {
        f"loop's lag, {AT_ONCE} runs at work": in_words(working),
        "cycles": f"{cycles / WORK_S:,.0f} a second",
        "memory at work": memory(),
    }


def memory() -> str:
    """The resident memory of this process, now and at most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    now, most = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now:.0f} MB, at most {most:.0f} MB"


def alone(measure: Callable[..., Coroutine[object, object, Result]], *arguments: object) -> Result:
    """What a process of its own measures."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, measure, *arguments).result()


def _measured(measure: Callable[..., Coroutine[object, object, Result]], *arguments: object) -> Result:
    import_module("handlers.slack")  # what `serve` loads counts too
    settle_in()
    return asyncio.run(measure(*arguments))


def report(path: str, runs: int, folder: Path) -> Iterator[str]:
    """The figures, as they come."""
    few = str(folder / "few.db")
    yield f"parked {runs:,} runs in {alone(fill, path, runs):.0f} s"
    alone(fill, few, RESUMES)
    for figures in (alone(watch, path), alone(compare_resumes, path, few), alone(work, path), alone(work, few)):
        yield ""
        yield from (f"{name:30} {figure}" for name, figure in figures.items())


@click.command(help=__doc__)
@click.option("--runs", default=10_000, show_default=True, help="How many are parked.")
@click.option("--db", "path", help="The file; without it a new one is made, and removed.")
def main(runs: int, path: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for line in report(path or str(Path(folder) / "parked.db"), runs, Path(folder)):
            click.echo(line)


if __name__ == "__main__":
    main()
