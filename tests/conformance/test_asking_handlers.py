"""Handlers are asked one after the other, and those that fail are asked again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from spectra_bot import (
    HumanGateStep,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunStatus,
    Workflow,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.asking import Desk, approval
from tests.conformance.conftest import OpenRunner
from tests.conformance.manual_time import is_tried_in


async def test_first_answer_of_the_handlers_counts_and_later_ones_are_not_asked(open_runner: OpenRunner) -> None:
    policy: IInterruptHandler = Desk("policy", InterruptResponse(status=InterruptStatus.APPROVED))
    people = Desk("people")
    runner = await open_runner(approval(), handlers=[policy, people])

    run_id = await runner.start("approval", {"env": "prod"})
    done = await runner.wait(run_id, over=True)

    assert done.status is RunStatus.COMPLETED
    [record] = (await runner.get(done.run_id)).interrupts
    assert record.response is not None
    assert record.response.responder == "handler:policy"
    assert people.handled == []


async def test_handler_that_raises_lets_the_next_be_asked_and_is_asked_again(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    broken = Desk("broken", OSError("down"), OSError("down"), None)
    people = Desk("people", None)
    runner = await open_runner(approval(), handlers=[broken, people])

    asked = await runner.run("approval", {"env": "prod"})
    [before] = (await runner.get(asked.run_id)).interrupts
    while len(broken.handled) < 3:
        clock.advance(timedelta(seconds=1))
        await asyncio.sleep(0)
        await runner.list_runs()

    assert asked.status is RunStatus.INTERRUPTED
    assert people.handled == ["Ship it?"]
    [failed] = [delivery for delivery in before.deliveries if delivery.handler == "broken"]
    assert failed.attempts == 1
    assert [delivery.attempts for delivery in before.deliveries if delivery.handler == "people"] == [1]
    assert failed.last_error == "OSError: down"


async def test_handler_is_not_asked_again_before_it_said(open_runner: OpenRunner, clock: ManualClock) -> None:
    class SlowDownError(Exception):
        retry_after_s = 90.0

    runner = await open_runner(approval(), handlers=[Desk("desk", SlowDownError())])

    asked = await runner.run("approval", {"env": "prod"})
    [[delivery]] = [interrupt.deliveries for interrupt in (await runner.get(asked.run_id)).interrupts]

    assert delivery.next_attempt_at is not None
    assert is_tried_in(timedelta(seconds=90), delivery.next_attempt_at, clock)


async def test_handler_outside_the_approvers_decides_nothing(open_runner: OpenRunner) -> None:
    policy = Desk("policy", InterruptResponse(status=InterruptStatus.APPROVED))
    people = Desk("people", None)
    runner = await open_runner(approval(approvers=("U1",)), handlers=[policy, people])

    asked = await runner.run("approval", {"env": "prod"})

    assert asked.status is RunStatus.INTERRUPTED
    assert people.handled == ["Ship it?"]


async def test_handler_still_asking_is_cancelled_when_someone_else_answers(open_runner: OpenRunner) -> None:
    class Prompt:
        asked = asyncio.Event()
        cancelled = asyncio.Event()

        async def handle(self, request: InterruptRequest) -> None:
            try:
                self.asked.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

    prompt = Prompt()
    runner = await open_runner(approval(), handlers=[prompt])
    run_id = await runner.start("approval", {"env": "prod"})
    await prompt.asked.wait()
    [request] = await runner.list_pending(run_id=run_id)

    await runner.answer(request.id, request.answer("approve"))
    done = await runner.wait(run_id, over=True)

    assert done.status is RunStatus.COMPLETED
    await asyncio.wait_for(prompt.cancelled.wait(), 60)


async def test_channel_is_the_requests_else_the_workflows_else_the_runs(open_runner: OpenRunner) -> None:
    workflow = Workflow("channels", channel="C-workflow")
    bare = Workflow("bare")
    for target in (workflow, bare):
        target.add("own", HumanGateStep("Own?", channel="C-own"))
        target.add("other", HumanGateStep("Other?"), after=())
    runner = await open_runner(workflow, bare)

    first = await runner.run("channels", channel="C-typed")
    second = await runner.run("bare", channel="C-typed")

    # Steps that run side by side ask in any order.
    assert {request.step: request.channel for request in first.pending} == {"own": "C-own", "other": "C-workflow"}
    assert {request.step: request.channel for request in second.pending} == {"own": "C-own", "other": "C-typed"}


async def test_handler_that_hangs_does_not_hide_the_question_from_the_next(
    open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.engine.asking.FIRST_TURN_S", 0.5)

    class Hanging:
        async def handle(self, request: InterruptRequest) -> None:
            await asyncio.Event().wait()

    people = Desk("people", None)
    runner = await open_runner(approval(), handlers=[Hanging(), people])

    asked = await runner.run("approval", {"env": "prod"})

    assert people.handled == ["Ship it?"]
    assert asked.status is RunStatus.INTERRUPTED


async def test_handler_that_returns_something_else_or_cancels_itself_is_asked_again_later(
    open_runner: OpenRunner,
) -> None:
    calls: list[str] = []

    class Odd:
        name = "odd"

        async def handle(self, request: InterruptRequest) -> None:
            calls.append("odd")
            return {"approved": True}  # type: ignore[return-value]  # what is tested

    class Cancelling:
        name = "cancelling"

        async def handle(self, request: InterruptRequest) -> None:
            calls.append("cancelling")
            raise asyncio.CancelledError

    runner = await open_runner(approval(), handlers=[Odd(), Cancelling()])

    asked = await runner.run("approval", {"env": "prod"})
    [record] = (await runner.get(asked.run_id)).interrupts

    assert calls == ["odd", "cancelling"]
    assert {delivery.handler: delivery.last_error for delivery in record.deliveries} == {
        "odd": "DefinitionError: handler odd returned dict; InterruptResponse, Delivered or None is needed",
        "cancelling": "CancelledError: ",
    }
