"""What one process leaves behind, the next one carries on."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    HumanGateStep,
    InterruptStatus,
    RunStatus,
    StepContext,
    UnreadableRunError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.integration.asking import Desk, asking


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_waiting_run_survives_the_process_and_is_not_asked_twice(database: str) -> None:
    first, second = Desk(), Desk()
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[first]) as runner:
        asked = await runner.run("asking")
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[second]) as runner:
        before = await runner.wait(asked.run_id)
        done = await runner.resume(asked.run_id, before.pending[0].answer("approve"))

    assert before.pending == asked.pending
    assert first.handled == [asked.pending[0].id]
    assert second.handled == []
    assert done.status is RunStatus.COMPLETED


async def test_question_that_was_never_delivered_is_delivered_by_the_next_process(database: str) -> None:
    desk = Desk()
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")

    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        await runner.wait(asked.run_id)

    assert desk.handled == [asked.pending[0].id]


async def test_deadline_that_passed_while_no_process_ran_fires_at_the_next_start(database: str) -> None:
    clock = ManualClock()
    workflow = asking(timeout=timedelta(hours=1))
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        asked = await runner.run("asking")
    clock.advance(timedelta(hours=3))

    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        done = await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)
        [record] = (await runner.get(asked.run_id)).interrupts

    assert done.error == "gate: nobody decided in time: Ship it?"
    assert record.status is InterruptStatus.TIMED_OUT


async def test_step_that_was_stopped_with_its_process_runs_again_in_the_next(database: str) -> None:
    started: list[int] = []
    workflow = Workflow("long")
    reached = asyncio.Event()

    @workflow.step
    async def work(ctx: StepContext) -> str:
        started.append(ctx.attempt)
        if len(started) == 1:
            reached.set()
            await asyncio.Event().wait()
        return "done"

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("long")
        await reached.wait()
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "done"
    assert started == [1, 1]


async def test_run_keeps_the_graph_it_started_on(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
    changed = asking()

    @changed.step
    async def added(ctx: StepContext) -> str:
        return "not part of the old run"

    async with WorkflowRunner(workflows=[changed], database=database) as runner:
        old = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
        new = await runner.run("asking")
        new = await runner.resume(new.run_id, new.pending[0].answer("approve"))

    assert "added" not in old.outputs
    assert old.status is RunStatus.COMPLETED
    assert "added" in new.outputs


async def test_step_that_is_gone_from_the_code_fails_its_run_by_name(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
    changed = Workflow("asking")
    changed.add("gate", HumanGateStep("Ship it?"))

    async with WorkflowRunner(workflows=[changed], database=database) as runner:
        done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.error == "ship: workflow asking has no step 'ship' any more"


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


async def test_process_that_is_told_to_stop_lets_an_effect_end(database: str) -> None:
    effects: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    workflow = Workflow("shipping")

    async def ship() -> str:
        effects.append(1)
        begun.set()
        await go_on.wait()
        return "shipped"

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return str(await ctx.once("ship", ship))

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("shipping")
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "shipped"
    assert effects == [1]
