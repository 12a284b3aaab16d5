"""What an approval leaves behind in Temporal is what the README reckons with."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from spectra_bot import RunStatus, TemporalOptions, WorkflowRunner
from tests.bench.temporal.approvals import Desk, approval
from tests.temporal_server import TemporalServer

README = " ".join((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8").split())
TIMEOUT_S = 60
AT_MOST = 1.3
"""Times as much as the README says."""


async def test_approval_leaves_as_much_as_the_readme_says(temporal: TemporalServer, task_queue: str) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    desk = Desk(lambda *_: None)
    client = await Client.connect(temporal.address)

    async with (
        asyncio.timeout(TIMEOUT_S),
        WorkflowRunner(workflows=[approval()], temporal=options, handlers=[desk]) as bot,
    ):
        asked = await bot.run("approval")
        done = await bot.resume(asked.run_id, asked.pending[0].answer("approve"))
        run = client.get_workflow_handle(asked.run_id)
        await run.result()
        size = (await run.describe()).raw_description.workflow_execution_info.history_size_bytes
        history = await run.fetch_history()

    assert done.status is RunStatus.COMPLETED
    # How much happens in one turn of the run is the server's to say.
    assert len(history.events) <= AT_MOST * said(r"history \| (\d+) events")
    assert size <= AT_MOST * said(r"\| (\d+) KB \|") * 1000
    assert count(history, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) <= AT_MOST * said(r"(\d+) of the workflow")
    assert count(history, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == said(r"(\d+) activities \|")
    changes = count(history, EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
    assert changes == said(r"writes: start, (\d+) changes, end")


def said(pattern: str) -> int:
    """A number as the README has it."""
    found = re.search(pattern, README)
    assert found is not None, pattern
    return int(found[1])


def count(history: WorkflowHistory, kind: EventType.ValueType) -> int:
    return sum(event.event_type == kind for event in history.events)
