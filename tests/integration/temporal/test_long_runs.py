"""Runs that outgrow one history of Temporal's go on in another, and nobody sees a difference."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from spectra_bot import (
    AlreadyAnsweredError,
    HumanGateStep,
    InterruptRequest,
    InterruptTimedOutError,
    RunStatus,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.limits import Renewal
from tests.temporal_server import TemporalServer, a_temporal

EVENTS = 60
"""After about so many events a run goes on in a new execution."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    renew(monkeypatch, must_events=100 * EVENTS)


def renew(monkeypatch: pytest.MonkeyPatch, *, must_events: int) -> None:
    monkeypatch.setattr("spectra_bot.temporal.beginning.RENEWAL", Renewal(events=EVENTS, must_events=must_events))


async def executions(server: TemporalServer, run_id: str) -> int:
    """In how many histories of Temporal a run stands."""
    client = await Client.connect(server.address)
    count = await client.count_workflows(f"WorkflowId = '{run_id}'")
    return count.count


@pytest.mark.parametrize("handler_hangs", [False, True])
async def test_questions_answers_and_effects_are_carried_over(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch, handler_hangs: bool
) -> None:
    class Hanging:
        asked: list[str] = []  # noqa: RUF012  a test's

        async def handle(self, request: InterruptRequest) -> None:
            self.asked.append(request.id)
            await asyncio.Event().wait()

    renew(monkeypatch, must_events=2 * EVENTS)
    monkeypatch.setattr("spectra_bot.engine.asking.FIRST_TURN_S", 0.1)
    monkeypatch.setattr("spectra_bot.temporal.waiting.HANDLERS_S", 0.1)
    handler = Hanging()
    effects = []
    workflow = Workflow("long")

    @workflow.step
    async def work(ctx: StepContext) -> int:
        await ctx.once("effect", lambda: effects.append(ctx.visit))
        return ctx.visit

    workflow.add("gate", HumanGateStep("Enough?", ("approve", "again"), routes={"again": "work"}))
    workflow.add("aside", HumanGateStep("Still there?"), after=())
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    handlers = [handler] if handler_hangs else []
    async with asyncio.timeout(120), WorkflowRunner(workflows=[workflow], temporal=options, handlers=handlers) as bot:
        result = await bot.run("long", run_id=task_queue)
        first = next(request for request in result.pending if request.step == "gate")
        aside = next(request for request in result.pending if request.step == "aside")
        for _ in range(15):
            [gate] = [request for request in result.pending if request.step == "gate"]
            result = await bot.resume(task_queue, gate.answer("again", responder="cli:ada"))
        repeated = await bot.answer(first.id, first.answer("again", responder="cli:ada"))
        with pytest.raises(AlreadyAnsweredError):
            await bot.answer(first.id, first.answer("approve", responder="cli:bob"))
        await bot.answer(aside.id, aside.answer("approve"))
        [gate] = [request for request in result.pending if request.step == "gate"]
        result = await bot.resume(task_queue, gate.answer("approve"))
        history = await bot.history(task_queue)

    assert result.status is RunStatus.COMPLETED
    assert repeated.responder == "cli:ada"
    assert effects == list(range(1, 17))
    assert [checkpoint.seq for checkpoint in history] == list(range(1, len(history) + 1))
    assert [checkpoint.event for checkpoint in history].count("InterruptAnswered") == 17
    assert await executions(temporal, task_queue) > 1


async def test_deadline_is_kept_over_it(temporal: TemporalServer, task_queue: str) -> None:
    workflow = Workflow("long")

    @workflow.step
    async def ask(ctx: StepContext) -> bool:
        try:
            await ctx.interrupt(InterruptRequest(reason="Soon?", timeout=timedelta(seconds=12)))
        except InterruptTimedOutError:
            return True
        return False

    @workflow.step(after=())
    async def work(ctx: StepContext) -> int:
        return ctx.visit

    workflow.back("work", to="work", when=lambda ctx: ctx.outputs["work"] < 12)
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(60), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        resting = await bot.run("long", run_id=task_queue)
        while await executions(temporal, task_queue) == 1:
            await asyncio.sleep(0.05)
        renewed_in_time = (await bot.list_pending(run_id=task_queue)) != ()
        done = await bot.wait(task_queue, over=True)

    assert resting.status is RunStatus.INTERRUPTED
    assert renewed_in_time
    assert done.outputs == {"ask": True, "work": 12}


async def test_lists_show_it_as_it_stands_and_not_as_it_stood_when_it_went_on(
    temporal: TemporalServer, task_queue: str
) -> None:
    workflow = Workflow("long")
    workflow.add("gate", HumanGateStep("Enough?", ("approve", "again"), routes={"again": "gate"}))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with (
        asyncio.timeout(60),
        WorkflowRunner(workflows=[workflow], temporal=options) as bot,
        WorkflowRunner(temporal=options, recover=False) as elsewhere,
    ):
        result = await bot.run("long", run_id=task_queue)
        while await executions(temporal, task_queue) == 1:
            result = await bot.resume(task_queue, result.pending[0].answer("again"))
        await bot.resume(task_queue, result.pending[0].answer("approve"))
        while not await elsewhere.list_runs(status=RunStatus.COMPLETED):
            await asyncio.sleep(0.05)
        waiting = await elsewhere.list_pending()
        others = [
            run
            for status in RunStatus
            if status is not RunStatus.COMPLETED
            for run in await elsewhere.list_runs(status=status)
        ]

    assert (list(waiting), others) == ([], [])


@pytest.mark.parametrize("must_stop", [False, True])
async def test_run_whose_log_is_too_large_for_another_goes_on_in_its_own(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch, must_stop: bool
) -> None:
    if must_stop:
        renew(monkeypatch, must_events=EVENTS)
    workflow = Workflow("large")

    async def large(ctx: StepContext) -> str:
        return str(await ctx.once("effect", lambda: "x" * 100_000))

    for number in range(9):
        workflow.add(f"part-{number}", large, after=())

    async def small(ctx: StepContext) -> int:
        return ctx.visit

    for number in range(12):
        workflow.add(f"small-{number}", small)
    workflow.add("gate", HumanGateStep("Enough?"))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(60), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        asked = await bot.run("large", run_id=task_queue)
        done = await bot.resume(task_queue, asked.pending[0].answer("approve"))

    assert done.status is RunStatus.COMPLETED
    assert await executions(temporal, task_queue) == 1


async def test_step_with_more_effects_than_temporal_takes_fails_and_says_so(tmp_path: Path, task_queue: str) -> None:
    effects: list[int] = []
    workflow = Workflow("busy")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        for number in range(20):
            await ctx.once(f"effect-{number}", partial(effects.append, number))

    with a_temporal(tmp_path, {"history.maximumSignalsPerExecution": 10}) as server:
        options = TemporalOptions(address=server.address, task_queue=task_queue)
        async with asyncio.timeout(60), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
            failed = await bot.run("busy")

    assert failed.status is RunStatus.FAILED
    assert "Temporal does not take what this step did last: exceeded workflow execution limit" in (failed.error or "")
    assert effects == list(range(11))
