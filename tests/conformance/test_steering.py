"""Cancelling and retrying, and steps that end in odd ways."""

from __future__ import annotations

import asyncio

import pytest

from spectra_bot import (
    InterruptRequest,
    RunFinishedError,
    RunStatus,
    StepContext,
    StepResult,
    Workflow,
)
from tests.conformance.asking import approval
from tests.conformance.conftest import OpenRunner


async def test_retry_keeps_approvals_and_asks_refusals_again(open_runner: OpenRunner) -> None:
    workflow = Workflow("two-questions")

    @workflow.step
    async def ask(ctx: StepContext) -> str:
        first = await ctx.interrupt(InterruptRequest(reason="First?"), key="first")
        second = await ctx.interrupt(InterruptRequest(reason="Second?"), key="second")
        if not second.approved:
            raise ValueError("refused")
        return f"{first.option} {second.option}"

    runner = await open_runner(workflow)
    asked = await runner.run("two-questions")
    asked = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    failed = await runner.resume(asked.run_id, asked.pending[0].answer("reject"))

    again = await runner.retry(failed.run_id)
    done = await runner.resume(again.run_id, again.pending[0].answer("approve"))

    assert [request.reason for request in again.pending] == ["Second?"]
    assert done.outputs["ask"] == "approve approve"


async def test_only_a_failed_run_is_retried_and_only_an_open_one_cancelled(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    asked = await runner.run("approval", {"env": "prod"})

    with pytest.raises(RunFinishedError, match="only a failed run can be retried"):
        await runner.retry(asked.run_id)
    cancelled = await runner.cancel(asked.run_id, by="cli:ada", reason="wrong branch")
    with pytest.raises(RunFinishedError, match="is cancelled; nothing to cancel"):
        await runner.cancel(asked.run_id)

    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.error == "cancelled by cli:ada: wrong branch"
    assert cancelled.pending == ()


async def test_cancelled_step_may_clean_up_before_cancel_returns(open_runner: OpenRunner) -> None:
    running, cleaning, cleaned = asyncio.Event(), asyncio.Event(), asyncio.Event()
    workflow = Workflow("long")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cleaning.set()
            await cleaned.wait()
            raise

    runner = await open_runner(workflow)
    run_id = await runner.start("long")
    await running.wait()

    cancelling = asyncio.create_task(runner.cancel(run_id))
    await cleaning.wait()
    meanwhile = [(await runner.get(run_id)).status for _ in range(3)]
    is_waiting = not cancelling.done()
    cleaned.set()
    done = await cancelling

    assert (set(meanwhile), is_waiting) == ({RunStatus.CANCELLED}, True)
    assert done.status is RunStatus.CANCELLED


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), SystemExit(3), GeneratorExit("odd")])
async def test_step_that_raises_what_is_no_exception_fails_its_run(
    open_runner: OpenRunner, raised: BaseException
) -> None:
    workflow = Workflow("odd")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        raise raised

    runner = await open_runner(workflow)

    done = await asyncio.wait_for(runner.run("odd"), 60)

    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert type(raised).__name__ in done.error


async def test_step_that_fails_behind_an_unanswered_question_is_parked(open_runner: OpenRunner) -> None:
    workflow = Workflow("swallowing")

    @workflow.step
    async def work(ctx: StepContext) -> StepResult:
        try:
            await ctx.interrupt(InterruptRequest(reason="Ship it?"))
        except BaseException:  # noqa: BLE001  what a careless step does
            return StepResult.failed("nobody said yes")
        return StepResult.completed("shipped")

    runner = await open_runner(workflow)
    asked = await runner.run("swallowing")

    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs["work"] == "shipped"
