"""Steps that raise or take too long: tried again after pauses that survive a restart, and no more than allowed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import Any

from spectra_bot import (
    InterruptRequest,
    RetryPolicy,
    RunResult,
    RunStatus,
    StepContext,
    StepResult,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import OpenRunner
from tests.conformance.manual_time import a_moment

STEADY = RetryPolicy(attempts=3, first_pause=timedelta(minutes=1), jitter=0)


class Flaky:
    """A step's work that breaks so many times; it keeps when it was tried."""

    def __init__(self, clock: ManualClock, breaks: int, error: type[Exception] = ConnectionError) -> None:
        self.clock = clock
        self.breaks = breaks
        self.error = error
        self.tried: list[float] = []
        self.attempts: list[int] = []

    async def __call__(self, ctx: StepContext) -> str:
        self.tried.append(self.clock.monotonic())
        self.attempts.append(ctx.attempt)
        if len(self.tried) <= self.breaks:
            raise self.error(f"try {len(self.tried)}")
        return "done"

    @property
    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.tried, self.tried[1:], strict=False)]


def flaky(work: Flaky, retry: RetryPolicy | None) -> Workflow:
    workflow = Workflow("flaky")

    @workflow.step(retry=retry)
    async def ship(ctx: StepContext) -> str:
        return await work(ctx)

    return workflow


async def phase_of(runner: WorkflowRunner, run_id: str, phase: str) -> None:
    """Return when the run's first step is in a phase."""
    async with asyncio.timeout(60):
        while (await runner.get(run_id)).steps[0].phase != phase:
            await asyncio.sleep(0.005)


async def with_time_passing(runner: WorkflowRunner, run_id: str, clock: ManualClock) -> RunResult:
    """The run when it rests, while its pauses pass."""
    waiting = asyncio.create_task(runner.wait(run_id))
    async with asyncio.timeout(60):
        while not waiting.done():
            await a_moment(clock)
            await runner.get(run_id)  # comes behind what is being stored, so that no time passes meanwhile
            clock.advance(timedelta(seconds=1))
    return await waiting


async def test_step_that_raised_runs_again_after_growing_pauses(open_runner: OpenRunner, clock: ManualClock) -> None:
    work = Flaky(clock, breaks=2)
    runner = await open_runner(flaky(work, STEADY))

    run_id = await runner.start("flaky")
    done = await with_time_passing(runner, run_id, clock)

    assert done.status is RunStatus.COMPLETED
    assert work.attempts == [1, 2, 3]
    first, second = work.pauses
    assert 60 <= first < 120 <= second < 180


async def test_step_that_raised_too_often_fails_its_run_with_its_last_error(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    work = Flaky(clock, breaks=9)
    runner = await open_runner(flaky(work, STEADY))

    failed = await with_time_passing(runner, await runner.start("flaky"), clock)
    [step] = (await runner.get(failed.run_id)).steps
    retried = asyncio.create_task(runner.retry(failed.run_id))
    await phase_of(runner, failed.run_id, "retrying")
    again = await with_time_passing(runner, failed.run_id, clock)
    await retried

    assert (step.phase, step.attempt) == ("failed", 3)
    assert failed.error == "ship: ConnectionError: try 3"
    assert again.error == "ship: ConnectionError: try 6"
    assert work.attempts == [1, 2, 3, 4, 5, 6]


async def test_error_that_the_policy_does_not_name_fails_at_once(open_runner: OpenRunner, clock: ManualClock) -> None:
    work = Flaky(clock, breaks=1, error=ValueError)
    runner = await open_runner(flaky(work, RetryPolicy(on=ConnectionError)))

    failed = await runner.run("flaky")

    assert failed.error == "ship: ValueError: try 1"
    assert work.attempts == [1]


class Mute(Exception):  # noqa: N818  it is what a broken error looks like
    def __str__(self) -> str:
        raise AttributeError("response")


async def test_error_that_can_not_say_what_it_is_fails_its_step_at_once(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    work = Flaky(clock, breaks=99, error=Mute)
    runner = await open_runner(flaky(work, None))

    async with asyncio.timeout(60):
        failed = await runner.run("flaky")

    assert failed.error == "ship: Mute: (its text can't be made: AttributeError)"
    assert work.attempts == [1]


async def test_effect_whose_result_can_not_be_looked_at_is_not_done_again(open_runner: OpenRunner) -> None:
    class Shy:
        @property
        def __class__(self) -> Any:
            raise RuntimeError("do not look at me")

        @__class__.setter
        def __class__(self, _value: Any) -> None:
            """A class may be set on any object."""

    done: list[str] = []
    workflow = Workflow("shy")

    @workflow.step
    async def ship(ctx: StepContext) -> None:
        def effect() -> object:
            done.append("shipped")
            return Shy()

        await ctx.once("ship", effect)

    runner = await open_runner(workflow)
    over = await runner.run("shy")

    assert over.status is RunStatus.FAILED
    assert "its result can't be read: RuntimeError: do not look at me" in (over.error or "")
    assert done == ["shipped"]


async def test_step_that_cancels_its_own_task_is_not_started_again_at_once(open_runner: OpenRunner) -> None:
    started: list[float] = []
    workflow = Workflow("cancelling")

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        started.append(time.monotonic())
        task = asyncio.current_task()
        if len(started) == 1 and task is not None:
            task.cancel()
        await asyncio.sleep(0)
        return "done"

    runner = await open_runner(workflow)

    async with asyncio.timeout(60):
        done = await runner.run("cancelling")

    assert done.outputs == {"ship": "done"}
    assert started[1] - started[0] > 0.9


async def test_handler_whose_task_stays_cancelled_is_not_asked_again_at_once(open_runner: OpenRunner) -> None:
    asked: list[float] = []

    class Impatient:
        async def handle(self, request: InterruptRequest) -> None:
            asked.append(time.monotonic())
            task = asyncio.current_task()
            if len(asked) == 1 and task is not None:
                task.cancel()  # as a time limit does that does not take it back
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)
                raise TimeoutError

    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Ship it?"))

    runner = await open_runner(workflow, handlers=[Impatient()])

    run_id = await runner.start("asking")
    async with asyncio.timeout(60):
        while not any(
            delivery.delivered_at for record in (await runner.get(run_id)).interrupts for delivery in record.deliveries
        ):
            await asyncio.sleep(0.01)

    assert len(asked) == 2
    assert asked[1] - asked[0] > 0.9


async def test_error_of_a_handler_that_can_not_say_what_it_is_is_shown(open_runner: OpenRunner) -> None:
    class Broken:
        async def handle(self, request: InterruptRequest) -> None:
            raise Mute

    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Ship it?"))

    runner = await open_runner(workflow, handlers=[Broken()])

    asked = await runner.run("asking")

    [delivery] = (await runner.get(asked.run_id)).interrupts[0].deliveries
    assert delivery.last_error == "Mute: (its text can't be made: AttributeError)"


async def test_step_that_decided_to_fail_is_not_tried_again(open_runner: OpenRunner) -> None:
    runs = []
    workflow = Workflow("firm")

    @workflow.step(retry=RetryPolicy())
    async def decide(ctx: StepContext) -> StepResult:
        runs.append(ctx.attempt)
        return StepResult.failed("the plan is empty")

    runner = await open_runner(workflow)
    failed = await runner.run("firm")

    assert failed.error == "decide: the plan is empty"
    assert runs == [1]


async def test_step_between_two_tries_is_shown_with_its_error_and_its_time(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    runner = await open_runner(flaky(Flaky(clock, breaks=1), STEADY))
    run_id = await runner.start("flaky")

    await phase_of(runner, run_id, "retrying")
    details = await runner.get(run_id)
    history = [checkpoint.event for checkpoint in await runner.history(run_id)]

    [step] = details.steps
    assert details.status is RunStatus.RUNNING
    assert step.error == "ConnectionError: try 1"
    assert step.retry_at == clock.now() + timedelta(minutes=1)
    assert step.attempt == 2
    assert history == ["RunStarted", "StepErrored"]


async def test_pause_survives_a_restart(open_runner: OpenRunner, clock: ManualClock) -> None:
    work = Flaky(clock, breaks=1)
    workflow = flaky(work, STEADY)
    first = await open_runner(workflow)
    run_id = await first.start("flaky")
    await phase_of(first, run_id, "retrying")
    clock.advance(timedelta(seconds=40))
    await first.__aexit__(None, None, None)

    second = await open_runner(workflow)
    await phase_of(second, run_id, "retrying")
    clock.advance(timedelta(seconds=19))
    still = (await second.get(run_id)).steps[0].phase
    done = await with_time_passing(second, run_id, clock)

    assert still == "retrying"
    assert done.status is RunStatus.COMPLETED
    assert 60 <= work.pauses[0] < 65


async def test_clock_that_was_set_back_while_nobody_ran_does_not_stretch_a_pause(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    work = Flaky(clock, breaks=1)
    workflow = flaky(work, STEADY)
    first = await open_runner(workflow)
    run_id = await first.start("flaky")
    await phase_of(first, run_id, "retrying")
    await first.__aexit__(None, None, None)

    clock.jump(timedelta(hours=-5))
    done = await with_time_passing(await open_runner(workflow), run_id, clock)

    assert done.status is RunStatus.COMPLETED
    assert work.pauses[0] < 70


async def test_cancelled_run_is_not_tried_again(open_runner: OpenRunner, clock: ManualClock) -> None:
    work = Flaky(clock, breaks=1)
    runner = await open_runner(flaky(work, STEADY))
    run_id = await runner.start("flaky")
    await phase_of(runner, run_id, "retrying")

    cancelled = await runner.cancel(run_id, by="cli:ada")
    clock.advance(timedelta(hours=1))
    await asyncio.sleep(0.05)

    assert cancelled.status is RunStatus.CANCELLED
    assert len(work.tried) == 1


async def test_effect_that_was_done_is_kept_over_the_tries(open_runner: OpenRunner, clock: ManualClock) -> None:
    done = []
    workflow = Workflow("careful")

    @workflow.step(retry=RetryPolicy(attempts=5, first_pause=timedelta(0)))
    async def ship(ctx: StepContext) -> int:
        await ctx.once("ship", lambda: done.append("shipped"))
        if ctx.attempt < 4:
            raise ConnectionError
        return ctx.attempt

    runner = await open_runner(workflow)
    result = await with_time_passing(runner, await runner.start("careful"), clock)

    assert result.outputs == {"ship": 4}
    assert done == ["shipped"]


async def test_answers_are_kept_over_the_tries_and_nobody_is_asked_again(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    workflow = Workflow("asking")

    @workflow.step(retry=RetryPolicy(first_pause=timedelta(0)))
    async def ship(ctx: StepContext) -> str | None:
        response = await ctx.interrupt(InterruptRequest(reason="Ship it?"))
        if ctx.attempt == 1:
            raise ConnectionError
        return response.responder

    runner = await open_runner(workflow)
    asked = await runner.run("asking")
    await runner.answer(asked.pending[0].id, asked.pending[0].answer("reject", responder="cli:ada"))
    result = await with_time_passing(runner, asked.run_id, clock)

    assert result.outputs == {"ship": "cli:ada"}


async def test_step_that_takes_too_long_is_cancelled_and_may_clean_up(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    seen = []
    workflow = Workflow("slow")

    @workflow.step(timeout=timedelta(minutes=5))
    async def wait(ctx: StepContext) -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    runner = await open_runner(workflow)
    result = await with_time_passing(runner, await runner.start("slow"), clock)

    assert result.error == "wait: it ran for longer than its timeout of 0:05:00"
    assert seen == ["started", "cleaned up"]


async def test_time_that_people_take_is_not_the_steps(open_runner: OpenRunner, clock: ManualClock) -> None:
    workflow = Workflow("patient")

    @workflow.step(timeout=timedelta(minutes=5))
    async def ask(ctx: StepContext) -> str:
        return (await ctx.interrupt(InterruptRequest(reason="Ship it?"))).status

    runner = await open_runner(workflow)
    asked = await runner.run("patient")
    clock.advance(timedelta(days=3))
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs == {"ask": "approved"}


async def test_step_that_ran_out_of_time_is_tried_again_where_its_policy_says_so(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    workflow = Workflow("slow")

    @workflow.step(timeout=timedelta(seconds=30), retry=RetryPolicy(on=TimeoutError, first_pause=timedelta(0)))
    async def wait(ctx: StepContext) -> int:
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return ctx.attempt

    runner = await open_runner(workflow)
    result = await with_time_passing(runner, await runner.start("slow"), clock)

    assert result.outputs == {"wait": 2}


async def test_step_that_does_not_stop_when_its_time_is_over_is_never_run_beside_itself(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    running = 0
    release = asyncio.Event()
    workflow = Workflow("deaf")

    @workflow.step(timeout=timedelta(minutes=5), retry=RetryPolicy(first_pause=timedelta(0)))
    async def hold(ctx: StepContext) -> None:
        nonlocal running
        running += 1
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    runner = await open_runner(workflow)
    result = await with_time_passing(runner, await runner.start("deaf"), clock)
    release.set()

    assert result.status is RunStatus.FAILED
    assert "may still be at work" in (result.error or "")
    assert running == 1


async def test_cancelled_run_stops_a_step_with_a_time_limit(open_runner: OpenRunner) -> None:
    seen = []
    workflow = Workflow("slow")

    @workflow.step(timeout=timedelta(minutes=5))
    async def wait(ctx: StepContext) -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    runner = await open_runner(workflow)
    run_id = await runner.start("slow")
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
    cancelled = await runner.cancel(run_id)

    assert cancelled.status is RunStatus.CANCELLED
    assert seen == ["started", "cleaned up"]
