"""What parked runs cost on Temporal: a page of what waits, from visibility and memo alone.

    python -m tests.bench.temporal.parked [--runs 5000]

The lists are made by a process without a worker, after every worker has stopped: no run can be asked.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import click

from spectra_bot import RunStatus, WorkflowRunner
from spectra_bot.collector import settle_in
from spectra_bot.temporal import TemporalOptions
from tests.bench.lag import in_words
from tests.bench.temporal.approvals import approval
from tests.bench.temporal.post import Inbox
from tests.bench.temporal.throughput import workers
from tests.temporal_server import a_temporal

QUEUE = "parked"
AT_ONCE = 50
LISTS = 20


async def fill(address: str, runs: int) -> float:
    """Park so many runs; returns the seconds it took."""
    inbox = await Inbox.open()
    options = TemporalOptions(address=address, task_queue=QUEUE)
    left = iter(range(runs))
    began = time.perf_counter()
    async with (
        workers(2, address, QUEUE, inbox.port, "ours"),
        WorkflowRunner(workflows=[approval()], temporal=options, recover=False) as runner,
    ):

        async def one_after_another() -> None:
            for _ in left:
                run_id = await runner.start("approval")
                await inbox.of(run_id)
                inbox.forget(run_id)

        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def lists(address: str, runs: int) -> dict[str, str]:
    """How long each list takes."""
    options = TemporalOptions(address=address, task_queue=QUEUE)
    figures = {}
    async with WorkflowRunner(workflows=[approval()], temporal=options, recover=False) as runner:
        all_shown = await runner.list_runs(status=RunStatus.INTERRUPTED, limit=runs)
        figures["parked"] = f"{len(all_shown):,} runs"
        makes: dict[str, Callable[[], Awaitable[Sequence[object]]]] = {
            "list 100 pending": lambda: runner.list_pending(limit=100),
            "list 100 runs": lambda: runner.list_runs(limit=100),
            "list 100 interrupted runs": lambda: runner.list_runs(status=RunStatus.INTERRUPTED, limit=100),
        }
        for name, make in makes.items():
            took = []
            for _ in range(LISTS):
                began = time.perf_counter()
                assert len(await make()) == min(runs, 100)
                took.append(time.perf_counter() - began)
            figures[name] = in_words(took)
    return figures


def report(folder: Path, runs: int) -> Iterator[str]:
    """The figures, as they come."""
    with a_temporal(folder) as server:
        yield f"parked {runs:,} runs in {asyncio.run(fill(server.address, runs)):.0f} s"
        yield from (f"{name:30} {figure}" for name, figure in asyncio.run(lists(server.address, runs)).items())


@click.command(help=__doc__)
@click.option("--runs", default=5000, show_default=True, help="How many are parked.")
def main(runs: int) -> None:
    settle_in()
    with tempfile.TemporaryDirectory() as folder:
        for line in report(Path(folder), runs):
            click.echo(line)


if __name__ == "__main__":
    main()
