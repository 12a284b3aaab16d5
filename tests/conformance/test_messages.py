"""What was delivered is brought to its end: settled, and told how the run ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    DeliveryRecord,
    InterruptRequest,
    InterruptResponse,
    RunResult,
    RunStatus,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.asking import Desk, approval
from tests.conformance.conftest import OpenRunner


async def test_message_is_settled_with_its_receipt_and_the_outcome_told_once(open_runner: OpenRunner) -> None:
    desk = Desk("desk", Delivered({"channel": "C1", "ts": "1.5"}))
    runner = await open_runner(approval(), handlers=[desk])
    asked = await runner.run("approval", {"env": "prod"})

    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    await asyncio.wait_for(desk.done.wait(), 60)

    assert desk.handled == ["Ship it?"]
    assert desk.settled == [("approved", {"channel": "C1", "ts": "1.5"})]
    assert desk.concluded == [RunStatus.COMPLETED]


@pytest.mark.parametrize("failing", ["settle", "conclude"])
async def test_message_that_cannot_be_brought_to_its_end_is_shown_until_it_can(
    open_runner: OpenRunner, clock: ManualClock, failing: str
) -> None:
    class Stuck(Desk):
        tries = 0

        def _try(self, what: str) -> None:
            if what == failing:
                self.tries += 1
                if self.tries <= 2:
                    raise OSError(f"cannot {what}")

        async def settle(
            self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
        ) -> None:
            self._try("settle")

        async def conclude(
            self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]
        ) -> None:
            self._try("conclude")

    desk = Stuck("desk", Delivered({"ts": "1"}))
    runner = await open_runner(approval(), handlers=[desk])
    asked = await runner.run("approval", {"env": "prod"})

    async def delivery() -> DeliveryRecord:
        [found] = (await runner.get(asked.run_id)).interrupts[0].deliveries
        return found

    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    async with asyncio.timeout(60):
        while (stuck := await delivery()).attempts < 2:
            clock.advance(timedelta(seconds=1))
        while (fine := await delivery()).last_error is not None:
            clock.advance(timedelta(seconds=1))

    assert (stuck.last_error, stuck.attempts) == (f"OSError: cannot {failing}", 2)
    assert stuck.next_attempt_at is not None
    assert (fine.next_attempt_at, fine.attempts) == (None, 1)


async def test_people_read_why_a_question_closed_without_an_answer(open_runner: OpenRunner) -> None:
    notes: list[str | None] = []

    class Board(Desk):
        async def settle(
            self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
        ) -> None:
            notes.append(response.notes)
            await super().settle(request, response, receipt)

    board = Board("board", Delivered({"ts": "1"}))
    runner = await open_runner(approval(), handlers=[board])
    asked = await runner.run("approval", {"env": "prod"})

    await runner.cancel(asked.run_id, by="cli:ada", reason="wrong branch")
    await asyncio.wait_for(board.done.wait(), 60)

    assert notes == ["run cancelled by cli:ada: wrong branch"]
