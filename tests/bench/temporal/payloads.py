"""What a run of ten steps leaves in Temporal's history and in the place for large payloads, and how long it takes.

    python -m tests.bench.temporal.payloads [--rounds 5]

Each step is given all outputs so far. Without a place 1 MB is refused, so the comparison is made with less.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click
from temporalio.client import Client

from spectra_bot import RunStatus, StepContext, TemporalOptions, Workflow, WorkflowRunner
from tests.temporal_server import TemporalServer, a_temporal

STEPS = 10
CASES = ((100_000, False), (140_000, False), (140_000, True), (1_000_000, True))
"""The size of each output, and whether there is a place."""


def chain(size: int) -> Workflow:
    """A workflow of steps in a row with outputs of a size."""
    workflow = Workflow("chain")

    async def work(ctx: StepContext) -> str:
        return f"{ctx.step}".ljust(size, "x")

    for number in range(STEPS):
        workflow.add(f"step-{number}", work)
    return workflow


async def measured(server: TemporalServer, size: int, place: Path | None, rounds: int) -> Sequence[tuple[float, int]]:
    """Seconds and bytes of history of each round."""
    options = TemporalOptions(
        address=server.address,
        task_queue=f"bench-{size}-{place is not None}",
        payloads=None if place is None else f"file://{place}",
    )
    client = await Client.connect(server.address)
    found = []
    async with WorkflowRunner(workflows=[chain(size)], temporal=options) as bot:
        for _ in range(rounds):
            began = time.perf_counter()
            result = await bot.run("chain")
            took = time.perf_counter() - began
            assert result.status is RunStatus.COMPLETED, result.error
            described = await client.get_workflow_handle(result.run_id).describe()
            found.append((took, described.raw_description.workflow_execution_info.history_size_bytes))
    return found


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, a_temporal(Path(folder) / "server") as server:
        for size, has_place in CASES:
            place = Path(folder) / f"place-{size}" if has_place else None
            if place is not None:
                place.mkdir()
            found = asyncio.run(measured(server, size, place, rounds))
            objects = [path.stat().st_size for path in place.rglob("*") if path.is_file()] if place is not None else []
            seconds, held = median(took for took, _ in found), median(size for _, size in found)
            click.echo(
                f"{STEPS} steps of {size:>9,} bytes, {'with' if has_place else 'without'} a place: {seconds:.2f} s, "
                f"{held:>10,.0f} bytes of history, {sum(objects) // rounds:>11,} in {len(objects) // rounds} objects"
            )


if __name__ == "__main__":
    main()
