"""What every way to ask people keeps to, whatever stands between the runner and them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from spectra_bot import (
    Delivered,
    InterruptRecord,
    InterruptRequest,
    InterruptResponse,
    RunResult,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import OpenRunner
from tests.conformance.desks import TIMEOUT_S, Desk, Watched, a_desk

# What each surface would act on or hide if it let it through: markup of Slack, of rich and of HTML, a terminal's
# escape sequence, a null, and a mark that turns the direction of text.
MARKUP = "<!channel> <https://evil.example|ok> *b* [bold]x[/bold] <script>&amp;</script> `code`"
STEERING = ("\x1b", "\x07", "\x00", "\u202e")
HOSTILE = f"{MARKUP} \x1b[2J\x07\x00 \u202egnp.exe 👩‍🚀"


@pytest.fixture(params=["auto_approve", "console", "slack", "queue"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(request.param, tmp_path) as desk:
        yield desk


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What a test opens; closed before its runners and its desk are."""
    async with AsyncExitStack() as stack:
        yield stack


def asking(**request: Any) -> Workflow:
    """One question, and who answered what as the output."""
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> dict[str, str | None]:
        response = await ctx.interrupt(InterruptRequest(**{"reason": "Ship it?", **request}))
        return {"option": response.option, "by": response.responder}

    return workflow


class Asking:
    """A runner with one watched handler, at work."""

    def __init__(self, desk: Desk, open_runner: OpenRunner, stack: AsyncExitStack) -> None:
        self._desk = desk
        self._open_runner = open_runner
        self._stack = stack
        self.handler: Watched
        self.runner: WorkflowRunner

    async def open(self, *, failures: int = 0, **request: Any) -> None:
        self.handler = Watched(self._desk.handler, failures=failures)
        self.runner = await self._open_runner(asking(**request), handlers=[self.handler])
        self.handler.runner = self.runner
        await self._stack.enter_async_context(self._desk.at_work(self.runner))

    async def restart(self, **request: Any) -> None:
        """Stop this process of the bot, and start another on the same database."""
        await self._stack.aclose()
        await self.runner.__aexit__(None, None, None)
        await self._desk.renew()
        await self.open(**request)

    async def ask(self) -> InterruptRequest:
        """Start a run and return its question, which may be answered already."""
        run_id = await self.runner.start("asking")
        await self.until(lambda: bool(self.handler.found))
        (record,) = (await self.runner.get(run_id)).interrupts
        return record.request

    async def record(self, request: InterruptRequest) -> InterruptRecord:
        return await self.runner.get_interrupt(request.id)

    async def until_delivered(self, request: InterruptRequest) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not any(delivery.delivered_at for delivery in (await self.record(request)).deliveries):
                await asyncio.sleep(0.01)

    async def finished(self, request: InterruptRequest) -> RunResult:
        return await asyncio.wait_for(self.runner.wait(request.run_id, over=True), TIMEOUT_S)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not holds():
                await asyncio.sleep(0.01)

    async def answer_elsewhere(self, request: InterruptRequest) -> InterruptResponse:
        return await self.runner.answer(request.id, request.answer("reject", responder="cli:elsewhere"))


@pytest.fixture
def asked(desk: Desk, open_runner: OpenRunner, stack: AsyncExitStack) -> Asking:
    return Asking(desk, open_runner, stack)


async def test_interrupt_is_stored_before_its_handler_is_asked(asked: Asking) -> None:
    await asked.open()

    await asked.ask()

    assert asked.handler.found == ["pending"]


async def test_what_the_handler_returned_is_stored(asked: Asking, desk: Desk) -> None:
    await asked.open()
    request = await asked.ask()

    await desk.leave(request)
    await asked.until_delivered(request)

    (returned,) = asked.handler.returned
    (delivery,) = (await asked.record(request)).deliveries
    assert delivery.handler == asked.handler.name
    assert delivery.receipt == (returned.receipt if isinstance(returned, Delivered) else None)


async def test_answer_given_there_ends_the_run_with_who_gave_it(asked: Asking, desk: Desk) -> None:
    desk.will_approve()
    await asked.open()
    request = await asked.ask()

    await desk.approve(request)

    result = await asked.finished(request)
    assert result.status is RunStatus.COMPLETED
    assert result.outputs["ask"] == {"option": "approve", "by": desk.identity}
    await desk.until_closed(request)


async def test_who_is_named_among_the_approvers_decides(asked: Asking, desk: Desk) -> None:
    desk.will_approve()
    await asked.open(approvers=("slack:T1/U9", desk.identity))
    request = await asked.ask()

    await desk.approve(request)

    assert (await asked.finished(request)).outputs["ask"] == {"option": "approve", "by": desk.identity}


async def test_who_is_not_among_the_approvers_changes_nothing(asked: Asking, desk: Desk) -> None:
    desk.will_approve()
    await asked.open(approvers=("cli:elsewhere",))
    request = await asked.ask()

    await desk.approve(request)
    await asked.until_delivered(request)

    assert (await asked.record(request)).status == "pending"
    await asked.answer_elsewhere(request)
    assert (await asked.finished(request)).outputs["ask"] == {"option": "reject", "by": "cli:elsewhere"}


async def test_question_that_is_answered_elsewhere_is_closed_there(asked: Asking, desk: Desk) -> None:
    await asked.open()
    request = await asked.ask()
    await desk.shown(request)

    await asked.answer_elsewhere(request)

    await asked.finished(request)
    await desk.until_closed(request)
    handler = asked.handler
    asks_nobody = handler.returned == [None]
    await asked.until(lambda: handler.was_cancelled or handler.was_settled or asks_nobody)
    assert not (handler.was_cancelled and handler.was_settled)


async def test_question_of_a_cancelled_run_is_closed_there(asked: Asking, desk: Desk) -> None:
    await asked.open()
    request = await asked.ask()
    await desk.shown(request)

    await asked.runner.cancel(request.run_id, by="cli:elsewhere")

    await desk.until_closed(request)


async def test_handler_that_raises_leaves_the_question_pending_and_is_asked_again(
    asked: Asking, desk: Desk, clock: ManualClock
) -> None:
    desk.will_approve()
    await asked.open(failures=2)
    request = await asked.ask()
    resting = await asyncio.wait_for(asked.runner.wait(request.run_id), TIMEOUT_S)
    (failed,) = (await asked.record(request)).deliveries

    async with asyncio.timeout(TIMEOUT_S):
        while len(asked.handler.found) < 3:
            clock.advance(timedelta(seconds=1))
            await asyncio.sleep(0.01)
    await desk.approve(request)

    assert resting.status is RunStatus.INTERRUPTED
    assert (failed.delivered_at, failed.last_error) == (None, "ConnectionError: no way to people just now")
    assert (await asked.finished(request)).outputs["ask"] == {"option": "approve", "by": desk.identity}


async def test_hostile_question_is_shown_harmlessly_and_can_be_answered(asked: Asking, desk: Desk) -> None:
    desk.will_approve()
    data = {"plan": HOSTILE, HOSTILE: [HOSTILE, {"deep": [None, 1e308, -0.0, HOSTILE]}]}
    await asked.open(reason=HOSTILE, data=data, options=("approve", "reject"))
    request = await asked.ask()

    for shown in await desk.shown(request):
        assert [sign for sign in STEERING if sign in shown] == []
    await desk.approve(request)

    assert (await asked.finished(request)).status is RunStatus.COMPLETED
    assert (await asked.record(request)).request.data == data


@pytest.mark.parametrize("request_", [{"reason": "\ud800"}, {"data": {"plan": "\udc00"}}], ids=["reason", "data"])
async def test_half_a_pair_is_refused_before_anybody_is_asked(asked: Asking, request_: dict[str, Any]) -> None:
    await asked.open(**request_)

    result = await asyncio.wait_for(asked.runner.run("asking"), TIMEOUT_S)

    assert result.status is RunStatus.FAILED
    assert asked.handler.found == []


async def test_restart_does_not_ask_again_what_was_delivered(asked: Asking, desk: Desk) -> None:
    await asked.open()
    request = await asked.ask()
    await desk.leave(request)
    await asked.until_delivered(request)
    before = await desk.shown(request)

    await asked.restart()
    resting = await asyncio.wait_for(asked.runner.wait(request.run_id), TIMEOUT_S)
    assert asked.handler.found == []
    assert resting.status is RunStatus.INTERRUPTED
    await asked.answer_elsewhere(request)

    assert (await asked.finished(request)).outputs["ask"] == {"option": "reject", "by": "cli:elsewhere"}
    await desk.until_closed(request)
    assert len(before) == 1
    assert asked.handler.found == []
