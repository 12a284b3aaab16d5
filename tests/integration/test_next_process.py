"""What one process leaves behind in its file that only a file can hold, the next one carries on."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    RunStatus,
    UnreadableRunError,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.integration.asking import Desk, asking


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_question_that_was_never_delivered_is_delivered_by_the_next_process(database: str) -> None:
    desk = Desk()
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")

    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        await runner.wait(asked.run_id)

    assert desk.handled == [asked.pending[0].id]


async def test_run_that_a_newer_version_wrote_is_left_to_it_and_holds_up_no_other(database: str) -> None:
    clock = ManualClock()
    workflow = asking(timeout=timedelta(hours=1))
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        newer = await runner.run("asking")
        mine = await runner.run("asking")
    connection = sqlite3.connect(database)
    connection.execute(
        "insert into events values (?, 3, 'RunTeleported', '{\"at\": \"2026-01-05T09:00:00Z\"}')", (newer.run_id,)
    )
    connection.execute("update runs set seq = 3 where run_id = ?", (newer.run_id,))
    connection.commit()
    connection.close()
    clock.advance(timedelta(hours=2))

    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        done = await asyncio.wait_for(runner.wait(mine.run_id, over=True), 10)
        listed = [request.run_id for request in await runner.list_pending()]
        with pytest.raises(UnreadableRunError, match="update this one"):
            await runner.answer(newer.pending[0].id, newer.pending[0].answer("approve"))

    assert done.status is RunStatus.FAILED
    assert listed == [newer.run_id]
