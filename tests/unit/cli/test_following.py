from __future__ import annotations

import asyncio

import pytest

from spectra_bot import (
    InterruptRequest,
    InterruptResponse,
    RunResult,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.cli.following import Follower

two = Workflow("two")


@two.step(after=())
async def left(ctx: StepContext) -> str | None:
    return (await ctx.interrupt(InterruptRequest(reason="left"))).option


@two.step(after=())
async def right(ctx: StepContext) -> str | None:
    return (await ctx.interrupt(InterruptRequest(reason="right"))).option


class Person:
    """Answers some questions, and leaves the others open."""

    def __init__(self, follower: Follower, *answers: str) -> None:
        self._follower = follower
        self._answers = answers

    async def handle(self, request: InterruptRequest) -> InterruptResponse | None:
        if request.reason in self._answers:
            return request.answer("approve", responder="cli:ada")
        self._follower.left(request)
        return None


async def _followed(*answers: str) -> RunResult:
    follower = Follower()
    runner = WorkflowRunner(
        workflows=[two], database=":memory:", handlers=[Person(follower, *answers)], listeners=[follower]
    )
    async with runner, asyncio.timeout(20):
        run_id = await runner.start("two")
        return await follower.follow(runner, run_id, on_stop=lambda: None)


@pytest.mark.parametrize(
    ("answers", "status", "pending"),
    [
        (("left", "right"), RunStatus.COMPLETED, []),
        (("left",), RunStatus.INTERRUPTED, ["right"]),
        (("right",), RunStatus.INTERRUPTED, ["left"]),
        ((), RunStatus.INTERRUPTED, ["left", "right"]),
    ],
)
async def test_run_is_followed_until_it_is_over_or_its_open_questions_were_left(
    answers: tuple[str, ...], status: RunStatus, pending: list[str]
) -> None:
    result = await _followed(*answers)

    assert result.status is status
    assert sorted(request.reason for request in result.pending) == pending


async def test_stop_gives_the_run_as_it_stands() -> None:
    follower, stopped = Follower(), asyncio.Event()
    async with WorkflowRunner(workflows=[two], database=":memory:", listeners=[follower]) as runner:
        run_id = await runner.start("two")
        await runner.wait(run_id)
        following = asyncio.create_task(follower.follow(runner, run_id, on_stop=stopped.set))
        await asyncio.sleep(0)

        following.cancel()
        result = await following

    assert stopped.is_set()
    assert (result.status, len(result.pending)) == (RunStatus.INTERRUPTED, 2)
