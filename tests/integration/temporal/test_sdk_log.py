"""What the SDK warns of is in our log, and never in what a command prints."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowQueryFailedError

from spectra_bot import TemporalOptions, WorkflowRunner
from spectra_bot.temporal.connection import connect
from spectra_bot.temporal.messages import SPECTRA_RUN
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.sdk_log import LOGGER
from spectra_bot.temporal.turns import comes_too_early
from tests.integration.asking import asking

TIMEOUT_S = 60


async def test_warnings_of_the_sdk_are_logged_but_not_that_a_query_is_made_again(
    options: TemporalOptions, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        client = await connect(options)
        run = client.get_workflow_handle((await bot.run("asking")).run_id)
        await run.signal(SpectraRun.had_turn, args=["none", "nobody"])
        while not (await run.fetch_history()).events[-1].HasField("workflow_task_completed_event_attributes"):
            await asyncio.sleep(0.01)
        with pytest.raises(WorkflowQueryFailedError) as behind_a_turn:
            await run.query(SpectraRun.rest)
        spoiled = await client.start_workflow(SPECTRA_RUN, "no run", id="spoiled", task_queue=options.task_queue)
        while not (warned := [record for record in caplog.records if record.name == LOGGER]):
            await asyncio.sleep(0.01)
        await spoiled.terminate()

    assert comes_too_early(behind_a_turn.value)
    assert all("Failing workflow task" in record.message for record in warned)
    printed = capfd.readouterr()
    assert "Failing" not in printed.out + printed.err
