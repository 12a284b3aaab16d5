"""Old runs are taken out, beside a process that serves, and nothing else is."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    HumanGateStep,
    RunNotFoundError,
    RunStatus,
    StepContext,
    UnknownInterruptError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.clock import SystemClock
from spectra_bot.store import OVER, prune
from spectra_bot.testing import ManualClock
from tests.integration.schemas.workflows import Board, World
from tests.integration.test_schemas import KEPT, restored

YEAR = timedelta(days=365)


def asking(name: str = "asking", *steps: str) -> Workflow:
    workflow = Workflow(name)
    workflow.add("gate", HumanGateStep("Go on?"))

    for step in ("finish", *steps):

        @workflow.step(name=step)
        async def finish(ctx: StepContext) -> str:
            return "x" * 1000

    return workflow


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "spectra.db"


async def decide(runner: WorkflowRunner, run_id: str, option: str = "approve") -> None:
    await runner.wait(run_id)
    [request] = await runner.list_pending(run_id=run_id)
    await runner.answer(request.id, request.answer(option))
    await runner.wait(run_id, over=True)


def rows(database: Path) -> dict[str, set[str]]:
    """Which runs have rows in which table."""
    connection = sqlite3.connect(database)
    found = {
        table: {run_id for (run_id,) in connection.execute(f"select distinct run_id from {table}")}  # noqa: S608
        for table in ("runs", "events", "interrupts", "attempts")
    }
    connection.close()
    return found


def test_only_runs_with_nothing_left_to_do_are_removed(tmp_path: Path) -> None:
    database = restored(KEPT[-1], tmp_path)
    before = rows(database)
    clock = ManualClock()

    pruned = prune(database, ended_before=clock.now() + YEAR)

    over = {"completed", "failed", "cancelled"}
    assert pruned.runs == {RunStatus.COMPLETED: 1, RunStatus.FAILED: 1, RunStatus.CANCELLED: 1}
    assert rows(database) == {table: run_ids - over for table, run_ids in before.items()}
    assert "unsettled" in rows(database)["runs"]  # it is completed, and its message is not closed yet


async def test_what_ended_later_or_otherwise_stays(database: Path) -> None:
    clock = ManualClock()
    async with WorkflowRunner(workflows=[asking()], database=str(database), clock=clock) as runner:
        for run_id in ("old", "old-rejected", "young"):
            await runner.run("asking", run_id=run_id)
        await decide(runner, "old")
        await decide(runner, "old-rejected", "reject")
        clock.advance(timedelta(hours=2))
        await decide(runner, "young")

    hour_ago = clock.now() - timedelta(hours=1)
    trial = await asyncio.to_thread(prune, database, ended_before=hour_ago, is_trial=True)
    kept = rows(database)["runs"]
    pruned = await asyncio.to_thread(
        prune, database, ended_before=hour_ago, statuses=[RunStatus.COMPLETED, RunStatus.RUNNING]
    )

    assert trial.runs == {RunStatus.COMPLETED: 1, RunStatus.FAILED: 1}
    assert kept == {"old", "old-rejected", "young"}
    assert pruned.runs == {RunStatus.COMPLETED: 1}
    assert rows(database)["runs"] == {"old-rejected", "young"}


async def test_process_that_holds_a_pruned_run_says_that_there_is_no_such_run(database: Path) -> None:
    clock = ManualClock()
    async with WorkflowRunner(
        workflows=[asking()], database=str(database), clock=clock, handlers=[Board(World())]
    ) as runner:
        asked = await runner.run("asking", run_id="gone")
        [request] = asked.pending
        await decide(runner, "gone", "reject")
        async with asyncio.timeout(10):
            while not (await asyncio.to_thread(prune, database, ended_before=clock.now() + YEAR)).runs:
                await asyncio.sleep(0.01)

        with pytest.raises(RunNotFoundError):
            await runner.retry("gone")
        with pytest.raises(RunNotFoundError):
            await runner.cancel("gone")
        with pytest.raises(RunNotFoundError):
            await runner.get("gone")
        with pytest.raises(RunNotFoundError):
            await runner.wait("gone")
        with pytest.raises(UnknownInterruptError):
            await runner.answer(request.id, request.answer("approve"))
        again = await runner.run("asking", run_id="gone")

    assert again.status is RunStatus.INTERRUPTED


async def test_run_starts_anew_under_the_id_of_a_pruned_one_in_every_process(database: Path) -> None:
    clock = SystemClock()
    asked = asking()
    async with (
        WorkflowRunner(workflows=[asked], database=str(database), recover=False) as one,
        WorkflowRunner(workflows=[asked], database=str(database), recover=False) as other,
    ):
        await one.start("asking", run_id="release")
        await decide(one, "release")
        await asyncio.to_thread(prune, database, ended_before=clock.now() + YEAR)

        await one.start("asking", run_id="release")
        again = await one.wait("release")
        assert again.status is RunStatus.INTERRUPTED
        await decide(one, "release", "reject")
        await asyncio.to_thread(prune, database, ended_before=clock.now() + YEAR)

        await other.start("asking", run_id="release")
        async with asyncio.timeout(10):
            await other.wait("release")
            await decide(one, "release")  # which had it in its hands before
            done = await other.wait("release", over=True)

    assert done.status is RunStatus.COMPLETED


async def test_graph_goes_with_its_last_run_and_comes_back_with_the_next(database: Path) -> None:
    workflows = [asking(), asking("longer", "more")]
    async with WorkflowRunner(workflows=workflows, database=str(database)) as runner:
        await runner.run("asking", run_id="first")
        await runner.run("longer", run_id="other")
        await decide(runner, "first")
        pruned = await asyncio.to_thread(prune, database, ended_before=(await runner.get("first")).updated_at + YEAR)
        await runner.run("asking", run_id="second")
    changed = [asking("asking", "new"), asking("longer", "more", "new")]
    async with WorkflowRunner(workflows=changed, database=str(database)) as runner:
        for run_id in ("second", "other"):
            await decide(runner, run_id)
            assert (await runner.get(run_id)).status is RunStatus.COMPLETED

    assert pruned.shapes == 1


async def test_others_get_their_turn_between_two_batches(database: Path) -> None:
    async with WorkflowRunner(workflows=[asking()], database=str(database)) as runner:
        for number in range(60):
            await runner.run("asking", run_id=f"r-{number}")
            await decide(runner, f"r-{number}")
        newest = (await runner.get("r-59")).updated_at
    other = sqlite3.connect(database, isolation_level=None, timeout=0, check_same_thread=False)
    kept: list[int] = []

    def write(_seconds: float) -> None:
        other.execute("update runs set noted = 0")
        kept.extend(other.execute("select count(*) from runs").fetchone())

    pruned = await asyncio.to_thread(prune, database, ended_before=newest + YEAR, pause=write)

    other.close()
    assert pruned.runs == {RunStatus.COMPLETED: 60}
    assert len(kept) > 1
    assert kept == sorted(kept, reverse=True)


async def test_run_that_is_set_going_again_meanwhile_is_left_alone(database: Path) -> None:
    async with WorkflowRunner(workflows=[asking()], database=str(database)) as runner:
        for number in range(40):
            await runner.run("asking", run_id=f"r-{number:02}")
            await decide(runner, f"r-{number:02}", "reject")
        newest = (await runner.get("r-39")).updated_at
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)

    def retry(_seconds: float) -> None:
        other.execute("update runs set status = 'running', is_open = 1 where run_id = 'r-39'")

    pruned = await asyncio.to_thread(prune, database, ended_before=newest + YEAR, pause=retry)

    other.close()
    assert pruned.runs == {RunStatus.FAILED: 39}
    assert rows(database)["events"] == {"r-39"}


async def test_vacuum_makes_the_file_smaller(database: Path) -> None:
    async with WorkflowRunner(workflows=[asking()], database=str(database)) as runner:
        for number in range(40):
            await runner.run("asking", run_id=f"r-{number}")
            await decide(runner, f"r-{number}")
        newest = (await runner.get("r-39")).updated_at
    before = database.stat().st_size

    pruned = await asyncio.to_thread(prune, database, ended_before=newest + YEAR, statuses=OVER, vacuums=True)

    assert pruned.free_bytes == 0
    assert database.stat().st_size == pruned.size_bytes < before / 2
