"""Record anew the histories of the present version.

    python -m tests.replay.record [SCENARIO ...]

It plays each scenario, or those that are named, on a Temporal server of its own, and keeps what they leave there.
Histories of other versions stay as they are.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from unittest.mock import patch

from temporalio.client import Client, WorkflowHistory

from spectra_bot.temporal.limits import RENEWAL, Renewal
from tests.replay.keeping import HISTORIES, keep, present_version
from tests.replay.scenarios import EVENTS, SCENARIOS, SCENARIOS_OF_SMALL_HISTORIES, Scenario
from tests.replay.stage import Stage
from tests.temporal_server import TemporalServer, a_temporal

TIMEOUT_S = 120


async def histories(server: TemporalServer, run_id: str) -> list[WorkflowHistory]:
    """What a run left in Temporal, from its first execution to its last, and who looked after its questions."""
    client = await Client.connect(server.address)
    ids = (run_id, f"spectra-reconciler-{run_id}")
    found = [one for name in ids async for one in client.list_workflows(f"WorkflowId = '{name}'")]
    found.sort(key=lambda execution: (ids.index(execution.id), execution.start_time))
    return [
        await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history() for execution in found
    ]


async def play(server: TemporalServer, name: str, scenario: Scenario) -> list[WorkflowHistory]:
    """The histories that a scenario leaves."""
    async with asyncio.timeout(TIMEOUT_S):
        await scenario(Stage(temporal=server, run_id=name))
    return await histories(server, name)


async def record(folder: Path, scenarios: Mapping[str, Scenario]) -> None:
    """Play scenarios on a server and keep their histories."""
    with a_temporal(folder) as server:
        for name, scenario in scenarios.items():
            left = await play(server, name, scenario)
            places = [keep(present_version(), name, number, one) for number, one in enumerate(left, start=1)]
            events = " + ".join(str(len(one.events)) for one in left)
            size = sum(place.stat().st_size for place in places)
            print(f"{name:20} {events} events, {size:,} bytes", flush=True)  # noqa: T201  its output


def main(wanted: Collection[str]) -> None:
    logging.disable(logging.ERROR)  # workers that are killed and stopped say so
    if not wanted:
        shutil.rmtree(HISTORIES / present_version(), ignore_errors=True)
    for scenarios, renewal in ((SCENARIOS, RENEWAL), (SCENARIOS_OF_SMALL_HISTORIES, Renewal(events=EVENTS))):
        chosen = {name: scenario for name, scenario in scenarios.items() if not wanted or name in wanted}
        if chosen:
            with tempfile.TemporaryDirectory() as folder, patch("spectra_bot.temporal.beginning.RENEWAL", renewal):
                asyncio.run(record(Path(folder), chosen))


if __name__ == "__main__":
    main(sys.argv[1:])
