"""Approvals a second and resume latency on one Temporal server, beside a bare workflow of the same activities.

    python -m tests.bench.temporal.throughput [--seconds 10] [--rounds 3] [--at-once 20]

A round measures the bare workflow and ours one after the other, with 1, 2 and 4 worker processes each. Figures of one
run are comparable with each other, not with another machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from spectra_bot import InterruptResponse, InterruptStatus, RunStatus, WorkflowRunner
from spectra_bot.collector import settle_in
from spectra_bot.temporal import TemporalOptions
from tests.bench.lag import in_words
from tests.bench.temporal.approvals import BARE, approval
from tests.bench.temporal.post import Inbox
from tests.temporal_server import a_temporal

WORKERS = (1, 2, 4)

Cycle = Callable[[], Awaitable[tuple[str, float]]]
"""One approval from its start to its end: its run's id, and the seconds from the answer on."""


@dataclass(slots=True)
class Measured:
    """What came of some rounds."""

    rates: list[float] = field(default_factory=list)
    resumes: list[float] = field(default_factory=list)
    last_run: str = ""


async def measure(cycle: Cycle, at_once: int, seconds: float, into: Measured) -> None:
    """Approvals a second with so many at the same time."""
    done = 0
    began = time.perf_counter()
    ends = began + seconds

    async def one_after_another() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            into.last_run, took = await cycle()
            into.resumes.append(took)
            done += 1

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    into.rates.append(done / (time.perf_counter() - began))


def ours(runner: WorkflowRunner, inbox: Inbox) -> Cycle:
    """An approval of ours, as `serve` and Slack do it."""

    async def cycle() -> tuple[str, float]:
        run_id = await runner.start("approval")
        interrupt_id = await inbox.of(run_id)
        inbox.forget(run_id)
        began = time.perf_counter()
        answer = InterruptResponse(option="approve", status=InterruptStatus.APPROVED, responder="cli:bench")
        await runner.answer(interrupt_id, answer)
        result = await runner.wait(run_id, over=True)
        assert result.status is RunStatus.COMPLETED
        return run_id, time.perf_counter() - began

    return cycle


def bare(client: Client, queue: str, inbox: Inbox) -> Cycle:
    """The bare workflow, as somebody would call it who has nothing else."""

    async def cycle() -> tuple[str, float]:
        run_id = f"bare-{secrets.token_hex(8)}"
        handle = await client.start_workflow(BARE, id=run_id, task_queue=queue)
        await inbox.of(run_id)
        inbox.forget(run_id)
        began = time.perf_counter()
        await handle.execute_update("answer", {"option": "approve", "responder": "cli:bench"})
        await handle.result()
        return run_id, time.perf_counter() - began

    return cycle


async def weight(client: Client, run_id: str) -> str:
    """What a run has left in Temporal."""
    info = (await client.get_workflow_handle(run_id).describe()).raw_description.workflow_execution_info
    return f"{info.history_length} events, {info.history_size_bytes:,} bytes"


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def workers(count: int, address: str, queue: str, port: int, kind: str) -> AsyncIterator[Callable[[], float]]:
    """So many worker processes, until the block ends; yields what tells the seconds of CPU that they took."""
    command = [sys.executable, "-m", "tests.bench.temporal.worker", address, queue, str(port), kind]
    started: list[Process] = []
    try:
        while len(started) < count:
            started.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))
        for process in started:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        yield lambda: sum(_cpu_s(process.pid) for process in started)
    finally:
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
        await asyncio.gather(*(process.wait() for process in started))


async def compare(address: str, count: int, at_once: int, seconds: float, rounds: int) -> Sequence[str]:
    """Both, with so many workers each; one after the other, round by round."""
    inbox = await Inbox.open()
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    queue, bare_queue = f"ours-{count}", f"bare-{count}"
    theirs, own = Measured(), Measured()
    lone_theirs, lone_own = Measured(), Measured()
    options = TemporalOptions(address=address, task_queue=queue)
    async with (
        workers(count, address, queue, inbox.port, "ours") as own_cpu,
        workers(count, address, bare_queue, inbox.port, "bare") as bare_cpu,
        WorkflowRunner(workflows=[approval()], temporal=options, recover=False) as runner,
    ):
        one, other = bare(client, bare_queue, inbox), ours(runner, inbox)
        await measure(one, at_once, 1.0, Measured())
        await measure(other, at_once, 1.0, Measured())
        before = own_cpu(), bare_cpu()
        for _ in range(rounds):
            await measure(one, at_once, seconds, theirs)
            await measure(other, at_once, seconds, own)
            await measure(one, 1, seconds / 3, lone_theirs)
            await measure(other, 1, seconds / 3, lone_own)
        own_ms = (own_cpu() - before[0]) * 1000 / len(own.resumes + lone_own.resumes)
        bare_ms = (bare_cpu() - before[1]) * 1000 / len(theirs.resumes + lone_theirs.resumes)
        size, bare_size = [await weight(client, one.last_run) for one in (own, theirs)]
    ratio = median(mine / bares for mine, bares in zip(own.rates, theirs.rates, strict=True))
    lone = median(mine / bares for mine, bares in zip(lone_own.rates, lone_theirs.rates, strict=True))
    return (
        f"{count} worker(s), {at_once} runs at once",
        f"  bare  {median(theirs.rates):6.1f} runs/s          resume {in_words(theirs.resumes)}",
        f"  ours  {median(own.rates):6.1f} runs/s  {ratio:5.2f}   resume {in_words(own.resumes)}",
        f"  one run at a time: {lone:.2f}; resume of the bare one {in_words(lone_theirs.resumes)}",
        f"                           resume of ours         {in_words(lone_own.resumes)}",
        f"  history of an approval: bare {bare_size}; ours {size}",
        f"  CPU of the workers, an approval: bare {bare_ms:.0f} ms; ours {own_ms:.0f} ms",
    )


def report(folder: Path, at_once: int, seconds: float, rounds: int, counts: Sequence[int]) -> Iterator[str]:
    """The figures, as they come."""
    with a_temporal(folder) as server:
        for count in counts:
            yield from asyncio.run(compare(server.address, count, at_once, seconds, rounds))


@click.command(help=__doc__)
@click.option("--seconds", default=10.0, show_default=True, help="How long each figure is measured, each round.")
@click.option("--rounds", default=3, show_default=True, help="How often.")
@click.option("--at-once", default=20, show_default=True, help="How many runs are under way at the same time.")
@click.option("--workers", "counts", default=WORKERS, multiple=True, show_default=True, help="With how many workers.")
def main(seconds: float, rounds: int, at_once: int, counts: Sequence[int]) -> None:
    settle_in()
    with tempfile.TemporaryDirectory() as folder:
        for line in report(Path(folder), at_once, seconds, rounds, counts):
            click.echo(line)


if __name__ == "__main__":
    main()
