"""What the SDK warns of is in our log, and never in what a command prints."""

from __future__ import annotations

import asyncio

import pytest

from spectra_bot import TemporalOptions, WorkflowRunner
from spectra_bot.temporal.connection import connect
from spectra_bot.temporal.messages import SPECTRA_RUN
from spectra_bot.temporal.sdk_log import LOGGER

TIMEOUT_S = 60


async def test_warnings_of_the_sdk_are_logged(
    options: TemporalOptions, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options):
        client = await connect(options)
        spoiled = await client.start_workflow(SPECTRA_RUN, "no run", id="spoiled", task_queue=options.task_queue)
        while not (warned := [record for record in caplog.records if record.name == LOGGER]):
            await asyncio.sleep(0.01)
        await spoiled.terminate()

    assert "Failing workflow task" in warned[0].message
    assert not hasattr(warned[0], "temporal_log"), "a fact that nobody can read"
    printed = capfd.readouterr()
    assert "Failing" not in printed.out + printed.err
