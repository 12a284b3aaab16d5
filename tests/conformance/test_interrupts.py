"""Asking and answering: what a step, its callers and its people can rely on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from pydantic import BaseModel

from spectra_bot import (
    AlreadyAnsweredError,
    AmbiguousInterruptError,
    InterruptException,
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidAnswerError,
    NotAllowedError,
    NotPendingError,
    RunNotFoundError,
    RunStatus,
    StepContext,
    StepResult,
    StepStatus,
    UnknownInterruptError,
    Workflow,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import OpenRunner

APPROVED = InterruptResponse(status=InterruptStatus.APPROVED, responder="cli:ada")


def asking(request: InterruptRequest) -> Workflow:
    """A workflow of one step that awaits the answer to one question."""
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> dict[str, object]:
        response = await ctx.interrupt(request)
        return {"option": response.option, "approved": response.approved, "notes": response.notes}

    return workflow


async def test_run_stops_at_a_question_and_goes_on_with_the_answer(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))

    asked = await runner.run("asking")
    done = await runner.resume(asked.run_id, APPROVED)

    assert asked.status is RunStatus.INTERRUPTED
    assert [request.reason for request in asked.pending] == ["Ship it?"]
    assert done.status is RunStatus.COMPLETED
    assert done.outputs["ask"] == {"option": "approve", "approved": True, "notes": None}


async def test_step_runs_again_from_its_first_line_after_the_answer(open_runner: OpenRunner) -> None:
    lines: list[str] = []
    workflow = Workflow("lines")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        lines.append("first")
        await ctx.interrupt(InterruptRequest(reason="Go on?"))
        lines.append("second")

    runner = await open_runner(workflow)

    asked = await runner.run("lines")
    await runner.resume(asked.run_id, APPROVED)

    assert lines == ["first", "first", "second"]


async def test_raised_request_is_answered_in_the_context(open_runner: OpenRunner) -> None:
    workflow = Workflow("raising")

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        if ctx.response is None:
            raise InterruptException(InterruptRequest(reason="Ship it?", data={"plan": "x"}))
        assert ctx.response.request is not None
        return [ctx.response.approved, ctx.response.request.reason, ctx.responses[0].responder]

    runner = await open_runner(workflow)

    asked = await runner.run("raising")
    done = await runner.resume(asked.run_id, APPROVED)

    assert done.outputs["ask"] == [True, "Ship it?", "cli:ada"]


async def test_newest_answer_is_the_one_given_last_though_the_clock_was_set_back(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> list[object]:
        if len(ctx.responses) < 2:
            raise InterruptException(InterruptRequest(reason="Wipe it?" if ctx.responses else "Stop it?"))
        assert ctx.response is not None
        assert ctx.response.request is not None
        return [ctx.response.approved, ctx.response.request.reason]

    runner = await open_runner(workflow)
    asked = await runner.run("asking")
    asked = await runner.resume(asked.run_id, APPROVED)

    clock.jump(timedelta(hours=-3))
    done = await runner.resume(asked.run_id, InterruptResponse(status=InterruptStatus.REJECTED))

    assert done.outputs["ask"] == [False, "Wipe it?"]


async def test_returned_request_is_answered_in_the_context(open_runner: OpenRunner) -> None:
    workflow = Workflow("returning")

    @workflow.step
    async def ask(ctx: StepContext) -> StepResult:
        if ctx.response is None:
            return StepResult.interrupted(InterruptRequest(reason="Ship it?"))
        return StepResult.completed(ctx.response.option)

    runner = await open_runner(workflow)

    asked = await runner.run("returning")
    done = await runner.resume(asked.run_id, APPROVED)

    assert done.outputs["ask"] == "approve"


async def test_result_that_asks_nothing_fails_the_step(open_runner: OpenRunner) -> None:
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> StepResult:
        return StepResult(status=StepStatus.INTERRUPTED)

    done = await (await open_runner(workflow)).run("asking")

    assert done.error == "ask: StepResult.interrupted needs a request"


async def test_question_in_a_swallowing_step_still_parks_it(open_runner: OpenRunner) -> None:
    workflow = Workflow("swallowing")

    @workflow.step
    async def ask(ctx: StepContext) -> str:
        try:
            await ctx.interrupt(InterruptRequest(reason="Ship it?"))
        except BaseException:  # noqa: BLE001  what a careless step does
            return "not decided, and yet done"
        return "decided"

    runner = await open_runner(workflow)

    asked = await runner.run("swallowing")
    done = await runner.resume(asked.run_id, APPROVED)

    assert asked.status is RunStatus.INTERRUPTED
    assert done.outputs["ask"] == "decided"


async def test_raising_an_answered_question_again_fails_the_step(open_runner: OpenRunner) -> None:
    workflow = Workflow("ignoring")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        raise InterruptException(InterruptRequest(reason="Ship it?"))

    runner = await open_runner(workflow)

    asked = await runner.run("ignoring")
    done = await runner.resume(asked.run_id, APPROVED)

    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert "read ctx.response first" in done.error


async def test_questions_asked_together_wait_for_all_their_answers(open_runner: OpenRunner) -> None:
    executions = 0
    workflow = Workflow("together")

    @workflow.step
    async def ask(ctx: StepContext) -> list[str | None]:
        nonlocal executions
        executions += 1
        first, second = await asyncio.gather(
            ctx.interrupt(InterruptRequest(reason="Colour?", options=("red", "blue")), key="colour"),
            ctx.interrupt(InterruptRequest(reason="Size?", options=("big", "small")), key="size"),
        )
        return [first.option, second.option]

    runner = await open_runner(workflow)
    asked = await runner.run("together")
    by_key = {request.key: request for request in asked.pending}

    still = await runner.resume(asked.run_id, by_key["size"].answer("small"))
    after_one = executions
    done = await runner.resume(asked.run_id, by_key["colour"].answer("red"))

    assert still.status is RunStatus.INTERRUPTED
    assert after_one == 1
    assert done.outputs["ask"] == ["red", "small"]


async def test_questions_in_a_task_group_are_unwrapped(open_runner: OpenRunner) -> None:
    workflow = Workflow("group")

    @workflow.step
    async def ask(ctx: StepContext) -> list[str | None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(ctx.interrupt(InterruptRequest(reason=reason), key=reason)) for reason in ("a", "b")
            ]
        return [task.result().option for task in tasks]

    runner = await open_runner(workflow)
    asked = await runner.run("group")

    for request in asked.pending:
        await runner.answer(request.id, request.answer("approve"))
    done = await runner.wait(asked.run_id)

    assert len(asked.pending) == 2
    assert done.outputs["ask"] == ["approve", "approve"]


async def test_resume_without_an_id_names_what_is_pending_when_it_is_ambiguous(open_runner: OpenRunner) -> None:
    workflow = Workflow("branches")

    @workflow.step
    async def left(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Left?"))

    @workflow.step(after=())
    async def right(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Right?"))

    runner = await open_runner(workflow)
    asked = await runner.run("branches")

    with pytest.raises(AmbiguousInterruptError, match="2 pending interrupts") as refused:
        await runner.resume(asked.run_id, APPROVED)

    for request in asked.pending:  # steps that run side by side ask in any order
        assert f"{request.id} ({request.reason})" in str(refused.value)
    assert len((await runner.get(asked.run_id)).pending) == 2


async def test_second_answer_is_told_who_was_first(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))
    asked = await runner.run("asking")
    [request] = asked.pending
    await runner.answer(request.id, request.answer("reject", responder="slack:T1/U1"))

    with pytest.raises(AlreadyAnsweredError) as refused:
        await runner.answer(request.id, request.answer("approve", responder="slack:T1/U2"))

    assert refused.value.answered_by == "slack:T1/U1"
    assert refused.value.option == "reject"
    assert refused.value.answered_at is not None


async def test_same_answer_again_is_told_the_same_outcome(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))
    asked = await runner.run("asking")
    [request] = asked.pending
    answer = request.answer("approve", responder="slack:T1/U1", notes="go")

    first = await runner.answer(request.id, answer)
    again = await runner.answer(request.id, answer)

    assert again == first


async def test_of_many_answers_at_once_one_wins(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))
    asked = await runner.run("asking")
    [request] = asked.pending

    answers = [runner.answer(request.id, request.answer("approve", responder=f"slack:T1/U{n}")) for n in range(8)]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)

    winners = [outcome for outcome in outcomes if isinstance(outcome, InterruptResponse)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, AlreadyAnsweredError)]
    assert len(winners) == 1
    assert {loser.answered_by for loser in losers} == {winners[0].responder}
    assert len(losers) == 7


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (InterruptResponse(status=InterruptStatus.APPROVED, option="ship"), "not offered"),
        (InterruptResponse(status=InterruptStatus.APPROVED, option="reject"), "means rejected"),
        (InterruptResponse(status=InterruptStatus.ANSWERED), "none of the options"),
        (InterruptResponse(status=InterruptStatus.TIMED_OUT), "the runner's to say"),
        (InterruptResponse(status=InterruptStatus.CANCELLED), "the runner's to say"),
    ],
)
async def test_answer_that_does_not_fit_the_question_changes_nothing(
    open_runner: OpenRunner, answer: InterruptResponse, problem: str
) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))
    asked = await runner.run("asking")

    with pytest.raises(InvalidAnswerError, match=problem):
        await runner.resume(asked.run_id, answer)

    assert (await runner.get(asked.run_id)).status is RunStatus.INTERRUPTED


async def test_only_those_named_may_decide(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?", approvers=("U1", "cli:ada"))))
    asked = await runner.run("asking")
    [request] = asked.pending

    for outsider in ("slack:T1/U2", "cli:bob", "handler:AutoApproveHandler", None):
        with pytest.raises(NotAllowedError, match=r"U1, cli:ada"):
            await runner.answer(request.id, request.answer("approve", responder=outsider))
    done = await runner.resume(asked.run_id, request.answer("approve", responder="slack:T9/U1"))

    assert done.status is RunStatus.COMPLETED


async def test_form_is_checked_before_anything_is_stored(open_runner: OpenRunner) -> None:
    class Scale(BaseModel):
        replicas: int

    options = (InterruptOption("scale", form=Scale), InterruptOption("reject"))
    workflow = Workflow("scaling")

    @workflow.step
    async def ask(ctx: StepContext) -> object:
        return (await ctx.interrupt(InterruptRequest(reason="How many?", options=options))).data

    runner = await open_runner(workflow)
    asked = await runner.run("scaling")
    [request] = asked.pending

    with pytest.raises(InvalidAnswerError) as refused:
        await runner.answer(request.id, request.answer("scale", data={"replicas": "many"}))
    done = await runner.resume(asked.run_id, request.answer("scale", data={"replicas": "3"}))

    assert set(refused.value.fields) == {"replicas"}
    assert done.outputs["ask"] == {"replicas": 3}


async def test_unknown_ids_are_refused_by_name(open_runner: OpenRunner) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?")))

    with pytest.raises(UnknownInterruptError, match="i-nowhere"):
        await runner.answer("i-nowhere", APPROVED)
    with pytest.raises(RunNotFoundError, match="r-nowhere"):
        await runner.resume("r-nowhere", APPROVED)


async def test_unkeyed_questions_that_change_places_fail_clearly(open_runner: OpenRunner) -> None:
    orders = [["a", "b"], ["b", "a"]]
    workflow = Workflow("order")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        await asyncio.gather(*(ctx.interrupt(InterruptRequest(reason=reason)) for reason in orders.pop(0)))

    runner = await open_runner(workflow)
    asked = await runner.run("order")
    for request in asked.pending:
        await runner.answer(request.id, request.answer("approve"))
    done = await runner.wait(asked.run_id)

    assert done.error is not None
    assert "give each a key=" in done.error


async def test_deadline_without_a_default_is_nobodys_decision(open_runner: OpenRunner, clock: ManualClock) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?", timeout=timedelta(hours=24))))
    asked = await runner.run("asking")
    [request] = asked.pending

    clock.advance(timedelta(hours=24))
    done = await runner.wait(asked.run_id, over=True)
    [record] = (await runner.get(asked.run_id)).interrupts

    assert done.status is RunStatus.FAILED
    assert done.error == "ask: nobody decided in time: Ship it?"
    assert record.status is InterruptStatus.TIMED_OUT
    assert record.response is not None
    assert record.response.responder is None
    with pytest.raises(NotPendingError, match="nobody decided"):
        await runner.answer(request.id, request.answer("approve"))


async def test_deadline_with_a_default_applies_it_and_is_still_recorded_as_timed_out(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    request = InterruptRequest(reason="Ship it?", timeout=timedelta(hours=1), default_option="approve")
    runner = await open_runner(asking(request))
    asked = await runner.run("asking")

    clock.advance(timedelta(hours=2))
    done = await runner.wait(asked.run_id, over=True)
    [record] = (await runner.get(asked.run_id)).interrupts

    assert done.outputs["ask"] == {"option": "approve", "approved": True, "notes": None}
    assert record.status is InterruptStatus.TIMED_OUT


async def test_raising_step_sees_that_time_ran_out(open_runner: OpenRunner, clock: ManualClock) -> None:
    workflow = Workflow("raising")

    @workflow.step
    async def ask(ctx: StepContext) -> str:
        if ctx.response is None:
            raise InterruptException(InterruptRequest(reason="Ship it?", timeout=timedelta(hours=1)))
        return ctx.response.status

    runner = await open_runner(workflow)
    asked = await runner.run("raising")

    clock.advance(timedelta(hours=2))
    done = await runner.wait(asked.run_id, over=True)

    assert done.outputs["ask"] == "timed_out"


async def test_answer_after_the_deadline_comes_too_late_even_before_the_clock_was_looked_at(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    runner = await open_runner(asking(InterruptRequest(reason="Ship it?", timeout=timedelta(hours=1))))
    asked = await runner.run("asking")

    clock.jump(timedelta(hours=2))
    with pytest.raises(NotPendingError, match="nobody decided"):
        await runner.resume(asked.run_id, APPROVED)

    assert (await runner.wait(asked.run_id, over=True)).status is RunStatus.FAILED
