"""The embedded engine and those who use it: they are cancelled, they listen, they fail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from spectra_bot import (
    RunStatus,
    RunUpdate,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from tests.integration.asking import asking, until


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_start_that_is_cancelled_after_it_was_stored_still_runs(database: str) -> None:
    workflow = Workflow("quick")

    @workflow.step
    async def work(ctx: StepContext) -> None: ...

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        starting = asyncio.create_task(runner.start("quick", run_id="nightly"))
        await until(lambda: _is_queued(starting))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        async def completed() -> bool:
            return [run.status for run in await runner.list_runs()] == [RunStatus.COMPLETED]

        await until(completed)


async def _is_queued(task: asyncio.Task[str]) -> bool:
    """The task has given its change to the store, and waits."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not task.done()


async def test_failing_listener_does_not_hold_up_the_run(database: str) -> None:
    def broken(update: RunUpdate) -> None:
        raise ValueError(update.event)

    async with WorkflowRunner(workflows=[asking()], database=database, listeners=[broken]) as runner:
        asked = await runner.run("asking")

    assert asked.status is RunStatus.INTERRUPTED


async def test_listener_sees_steps_and_their_progress(database: str) -> None:
    seen: list[tuple[str, str | None, float | None, str]] = []
    workflow = Workflow("progress")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        ctx.progress(0.5, "half")

    def listen(update: RunUpdate) -> None:
        seen.append((update.event, update.step, update.fraction, update.text))

    async with WorkflowRunner(workflows=[workflow], database=database, listeners=[listen]) as runner:
        await runner.run("progress")

    assert seen == [
        ("StepStarted", "work", None, ""),
        ("StepProgress", "work", 0.5, "half"),
        ("StepCompleted", "work", None, ""),
    ]
