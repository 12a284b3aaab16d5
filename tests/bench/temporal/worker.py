"""A worker process: `python -m tests.bench.temporal.worker ADDRESS QUEUE PORT ours|bare`. Ends when its input does."""

from __future__ import annotations

import asyncio
import sys

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from spectra_bot import WorkflowRunner
from spectra_bot.collector import settle_in
from spectra_bot.temporal import TemporalOptions
from tests.bench.temporal.approvals import BareActivities, BareApproval, Desk, approval
from tests.bench.temporal.post import Sender


async def work(address: str, queue: str, port: int, kind: str) -> None:
    """Work until standard input is closed."""
    sender = Sender(port)
    if kind == "ours":
        options = TemporalOptions(address=address, task_queue=queue)
        async with WorkflowRunner(workflows=[approval()], temporal=options, handlers=[Desk(sender.tell)]):
            await _until_closed()
        return
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    act = BareActivities(sender.tell)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[BareApproval],
        activities=[act.plan, act.ask, act.deliver, act.answered, act.settle, act.conclude],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_activities=1000,
    ):
        await _until_closed()


async def _until_closed() -> None:
    print("ready", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    _, address, queue, port, kind = sys.argv
    settle_in()  # as `spectra-bot serve` does
    asyncio.run(work(address, queue, int(port), kind))
