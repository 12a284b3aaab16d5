"""What was delivered is compared with what still stands."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot.engine import reconciler
from spectra_bot.testing.clock import ManualClock
from tests.integration.board import Board, SlowDownError, asking, pass_time, runner_on


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_question_is_looked_at_once_a_round_and_never_two_in_one_second(
    database: str, clock: ManualClock
) -> None:
    board = Board(clock)
    async with runner_on(database, clock, board) as runner:
        for _ in range(3):
            await runner.run("asking")

        await pass_time(clock, runner, lambda: len(board.looks) >= 6)

    gaps = [later - earlier for earlier, later in zip(board.looks, board.looks[1:], strict=False)]
    assert min(gaps) >= reconciler.PAUSE_S
    assert board.looks[3] - board.looks[0] >= reconciler.ROUND_S - reconciler.PAUSE_S


async def test_question_that_is_answered_before_its_turn_is_not_looked_at(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    looking, answered = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        await answered.wait()

    board.look = look
    async with runner_on(database, clock, board) as runner:
        await runner.run("asking")
        clock.advance(timedelta(seconds=1))  # so that their order is known
        second = await runner.run("asking")
        clock.advance(timedelta(seconds=1))
        await runner.run("asking")
        await pass_time(clock, runner, looking.is_set)
        await runner.resume(second.run_id, second.pending[0].answer("approve"))
        answered.set()

        await pass_time(clock, runner, lambda: len(board.seen) == 2)

    assert board.seen == [1, 3]


async def test_look_at_what_was_delivered_anew_meanwhile_loses_nothing(
    database: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    slow, quick = Board(clock), Board(clock)
    looking, ended = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        await ended.wait()

    slow.look = look
    slow.torn.add(1)
    async with runner_on(database, clock, slow) as runner, runner_on(database, clock, quick, workflow=asking("other")):
        asked = await runner.run("asking")
        await pass_time(clock, runner, looking.is_set)
        quick.torn.add(1)
        await pass_time(clock, runner, lambda: len(slow.pinned) == 2)
        quick.torn.clear()
        before = len(quick.looks)

        ended.set()

        await pass_time(clock, runner, lambda: len(slow.looks) >= 2 and len(quick.looks) > before)
        [delivery] = (await runner.get(asked.run_id)).interrupts[0].deliveries
    assert (delivery.lost, delivery.receipt) == (1, {"pin": 2})
    assert "background work failed" not in caplog.messages


async def test_look_that_fails_is_shown_until_one_succeeds(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    board.problem = OSError("the door is locked")
    async with runner_on(database, clock, board) as runner:
        asked = await runner.run("asking")
        await pass_time(clock, runner, lambda: len(board.looks) == 2)
        [failing] = (await runner.get(asked.run_id)).interrupts[0].deliveries
        board.problem = None

        await pass_time(clock, runner, lambda: len(board.looks) == 4)

        [fine] = (await runner.get(asked.run_id)).interrupts[0].deliveries
    assert failing.last_error == "OSError: the door is locked"
    assert failing.next_attempt_at is not None
    assert (fine.last_error, fine.next_attempt_at) == (None, None)
    assert board.pinned == ["Ship it?"]


async def test_look_waits_as_long_as_it_was_asked_to(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    board.problem = SlowDownError()
    async with runner_on(database, clock, board) as runner:
        await runner.run("asking")
        await runner.run("asking")

        await pass_time(clock, runner, lambda: len(board.looks) >= 2)

    assert board.looks[1] - board.looks[0] >= SlowDownError.retry_after_s
