"""Hosts whose clocks are wrong: what runs out does so by the server's clock, whoever's worker set it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from spectra_bot import (
    InterruptRequest,
    RetryPolicy,
    RunStatus,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.clock import SystemClock
from tests.temporal_server import TemporalServer

TIMEOUT = timedelta(minutes=2)
TOLERANCE = timedelta(seconds=30)
PAUSE = timedelta(seconds=4)


class WrongClock(SystemClock):
    """A host's clock that is off."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self) -> datetime:
        return super().now() + self._off


@pytest.mark.parametrize("off", [timedelta(minutes=-5), timedelta(minutes=5)], ids=["behind", "ahead"])
async def test_question_of_a_worker_with_a_wrong_clock_waits_as_long_as_it_says(
    temporal: TemporalServer, task_queue: str, off: timedelta
) -> None:
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> str | None:
        request = InterruptRequest(reason="Ship it?", timeout=TIMEOUT, default_option="approve")
        return (await ctx.interrupt(request)).option

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with (
        asyncio.timeout(60),
        WorkflowRunner(temporal=options, recover=False) as caller,
        WorkflowRunner(workflows=[workflow], temporal=options, clock=WrongClock(off)) as bot,
    ):
        asked = await bot.run("asking")
        [request] = asked.pending
        assert request.deadline is not None
        left = request.deadline - datetime.now(UTC)
        await caller.answer(request.id, request.answer("reject"))
        done = await bot.wait(asked.run_id, over=True)
        times = [checkpoint.at for checkpoint in (await bot.history(asked.run_id))[1:]]

    assert TIMEOUT - TOLERANCE < left <= TIMEOUT
    assert done.outputs == {"ask": "reject"}
    assert times == sorted(times)


async def test_worker_whose_clock_is_behind_pauses_between_attempts(temporal: TemporalServer, task_queue: str) -> None:
    workflow = Workflow("flaky")
    began: list[float] = []

    @workflow.step(retry=RetryPolicy(attempts=2, first_pause=PAUSE, jitter=0))
    async def work(ctx: StepContext) -> None:
        began.append(asyncio.get_running_loop().time())
        if ctx.attempt == 1:
            raise ConnectionError("no way there")

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    clock = WrongClock(timedelta(minutes=-5))
    async with asyncio.timeout(60), WorkflowRunner(workflows=[workflow], temporal=options, clock=clock) as bot:
        done = await bot.run("flaky")

    assert done.status is RunStatus.COMPLETED
    assert began[1] - began[0] > PAUSE.total_seconds() - 1
