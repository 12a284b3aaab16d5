"""Messages that people took away are delivered anew, while their questions wait."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from spectra_bot import RunStatus
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import MakeRunner, OpenRunner
from tests.conformance.manual_time import TemporalClock
from tests.integration.board import Board, asking, pass_time


def step(clock: ManualClock) -> timedelta:
    """How far time goes at once: the rounds are ten minutes apart, and Temporal's lists lag behind the first."""
    return timedelta(seconds=30 if isinstance(clock, TemporalClock) else 1)


async def test_question_that_was_taken_away_is_delivered_anew(open_runner: OpenRunner, clock: ManualClock) -> None:
    board = Board(clock)
    runner = await open_runner(asking(), handlers=[board])
    asked = await runner.run("asking")
    board.torn.add(1)

    await pass_time(clock, runner, lambda: len(board.pinned) == 2, step(clock))

    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    await pass_time(clock, runner, lambda: bool(board.settled), step(clock))
    [record] = (await runner.get(asked.run_id)).interrupts
    told = [checkpoint.event for checkpoint in await runner.history(asked.run_id)]
    assert board.again == [{"pin": 1}]
    assert board.settled == [{"pin": 2}]
    assert (record.deliveries[0].lost, record.deliveries[0].attempts) == (1, 2)
    assert told.count("DeliveryLost") == 1


async def test_question_that_is_over_is_not_looked_at(open_runner: OpenRunner, clock: ManualClock) -> None:
    board = Board(clock)
    runner = await open_runner(asking(), handlers=[board])
    over = await runner.run("asking")
    await runner.resume(over.run_id, over.pending[0].answer("approve"))
    before = len(board.looks)
    board.torn.add(1)
    await runner.run("asking")

    await pass_time(clock, runner, lambda: len(board.looks) > before + 1, step(clock))

    assert board.pinned == ["Ship it?", "Ship it?"]


async def test_look_that_ends_after_the_answer_brings_nothing_back(open_runner: OpenRunner, clock: ManualClock) -> None:
    board = Board(clock)
    looking, answered = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        await answered.wait()

    board.look = look
    runner = await open_runner(asking(), handlers=[board])
    asked = await runner.run("asking")
    board.torn.add(1)
    await pass_time(clock, runner, looking.is_set, step(clock))
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    answered.set()

    await pass_time(clock, runner, lambda: bool(board.settled), step(clock))

    told = [checkpoint.event for checkpoint in await runner.history(asked.run_id)]
    assert done.status is RunStatus.COMPLETED
    assert board.pinned == ["Ship it?"]
    assert "DeliveryLost" not in told


async def test_process_that_stops_does_not_wait_for_a_look(make_runner: MakeRunner, clock: ManualClock) -> None:
    board = Board(clock)
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.Event().wait()

    board.look = look
    async with asyncio.timeout(20), make_runner(asking(), handlers=[board]) as runner:
        await runner.run("asking")
        await pass_time(clock, runner, looking.is_set, step(clock))


async def test_another_process_looks_when_the_first_has_stopped(make_runner: MakeRunner, clock: ManualClock) -> None:
    first, second = Board(clock), Board(clock)
    async with make_runner(asking(), handlers=[first]) as runner:
        await runner.run("asking")
        await pass_time(clock, runner, lambda: bool(first.looks), step(clock))
    first.torn.add(1)
    second.torn.add(1)

    async with make_runner(asking(), handlers=[second]) as runner:
        await pass_time(clock, runner, lambda: bool(second.pinned), step(clock))

    assert second.again == [{"pin": 1}]
    assert first.pinned == ["Ship it?"]
