"""An answer is bound to what was shown: what happens when a step asks something else than people answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from spectra_bot import (
    AlreadyAnsweredError,
    Delivered,
    InterruptException,
    InterruptRequest,
    InterruptResponse,
    RunStatus,
    StepContext,
    Workflow,
)
from tests.conformance.conftest import OpenRunner


async def test_changed_question_is_asked_anew_and_says_what_changed(open_runner: OpenRunner) -> None:
    replicas = [2, 3, 3]
    workflow = Workflow("drift")

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        shown = replicas.pop(0)
        response = await ctx.interrupt(InterruptRequest(reason="Scale?", data={"replicas": shown, "env": "prod"}))
        assert response.request is not None
        return response.request.data

    runner = await open_runner(workflow)
    first = await runner.run("drift")
    second = await runner.resume(first.run_id, first.pending[0].answer("approve"))
    done = await runner.resume(first.run_id, second.pending[0].answer("approve"))
    history = (await runner.get(first.run_id)).interrupts

    assert second.status is RunStatus.INTERRUPTED
    assert [str(difference) for difference in second.pending[0].changed] == ["data.replicas: 2 → 3"]
    assert second.pending[0].replaces == first.pending[0].id
    assert done.outputs["ask"] == {"replicas": 3, "env": "prod"}
    assert [(record.status, record.superseded_by) for record in history] == [
        ("approved", second.pending[0].id),
        ("approved", None),
    ]


@pytest.mark.parametrize("style", ["await", "raise"])
async def test_question_that_changes_on_each_run_fails_and_names_the_fields(
    open_runner: OpenRunner, style: str
) -> None:
    executions = 0
    workflow = Workflow("unstable")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        nonlocal executions
        executions += 1
        request = InterruptRequest(reason="Now?", data={"now": executions})
        if style == "raise":
            raise InterruptException(request)
        await ctx.interrupt(request)

    runner = await open_runner(workflow)
    result = await runner.run("unstable")
    while result.status is RunStatus.INTERRUPTED:
        result = await runner.resume(result.run_id, result.pending[0].answer("approve"))

    assert result.error is not None
    assert "data.now" in result.error
    assert "in once" in result.error
    assert executions == 4


async def test_question_that_stood_still_once_may_change_again(open_runner: OpenRunner) -> None:
    shown = iter([1, 2, 3, 3, 4, 5, 5, 5])
    workflow = Workflow("restless")

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        first = await ctx.interrupt(InterruptRequest(reason="Scale?", data={"replicas": next(shown)}), key="scale")
        assert first.request is not None
        last = await ctx.interrupt(InterruptRequest(reason="Sure?", data={"at": first.request.data}), key="sure")
        return last.request and last.request.data

    runner = await open_runner(workflow)
    result = await runner.run("restless")
    while result.status is RunStatus.INTERRUPTED:
        result = await runner.resume(result.run_id, result.pending[0].answer("approve"))

    # It changed four times in all, and never three times without having been met unchanged between.
    assert result.error is None
    assert result.outputs["ask"] == {"at": {"replicas": 5}}


class Board:
    """A handler that keeps what it was told of each question's end; it can be held up in showing it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str | None]] = []
        self.shows = asyncio.Event()
        self.shows.set()

    async def handle(self, request: InterruptRequest) -> Delivered:
        return Delivered({"place": request.id})

    async def settle(
        self, _request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        self.told.append((str(receipt["place"]), response.status, response.superseded_by))
        await self.shows.wait()

    async def wait_for(self, told: tuple[str, str, str | None]) -> None:
        async with asyncio.timeout(60):
            while told not in self.told:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_slow", [False, True])
async def test_message_of_an_answer_that_counts_no_more_is_told_so(open_runner: OpenRunner, is_slow: bool) -> None:
    replicas = [2, 3]  # the plan that is shown, and that which the step then makes
    workflow = Workflow("drift")

    board = Board()

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        if ctx.response is not None:
            await board.wait_for((str(ctx.response.interrupt_id), "approved", None))
        await ctx.interrupt(InterruptRequest(reason="Scale?", data={"replicas": replicas.pop(0)}))

    runner = await open_runner(workflow, handlers=[board])
    asked = await runner.run("drift")
    [first] = asked.pending
    if is_slow:
        board.shows.clear()
    [second] = (await runner.resume(asked.run_id, first.answer("approve"))).pending
    board.shows.set()

    await board.wait_for((first.id, "approved", second.id))
    with pytest.raises(AlreadyAnsweredError, match=f"answer {second.id} instead") as late:
        await runner.answer(first.id, first.answer("reject"))
    assert late.value.superseded_by == second.id
    assert (await runner.answer(first.id, first.answer("approve"))).superseded_by == second.id
