"""What is gone is delivered anew: by one process, and whatever becomes of the try."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    Delivered,
    InterruptRequest,
    InterruptStatus,
    RunStatus,
)
from spectra_bot.embedded.journal import read_shape, replay
from spectra_bot.embedded.outbox import HandlerOutbox
from spectra_bot.embedded.owned_run import OwnedRun
from spectra_bot.embedded.stored_questions import StoredQuestions
from spectra_bot.engine import reconciler
from spectra_bot.machine import Command, Deliver, Redeliver, RunState
from spectra_bot.store import SqliteStore
from spectra_bot.testing.clock import ManualClock
from tests.integration.board import Board, Receipt, asking, pass_time, runner_on


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_of_two_processes_that_miss_it_one_delivers_anew(database: str, clock: ManualClock) -> None:
    board, seen = Board(clock), asyncio.Barrier(2)

    async def together() -> None:
        await seen.wait()

    async with runner_on(database, clock, board) as one, runner_on(database, clock, board) as other:
        asked = await one.run("asking")
        board.torn.add(1)
        board.look = together

        await pass_time(clock, one, lambda: len(board.pinned) == 2)

        board.look = None
        before = len(board.looks)
        await pass_time(clock, other, lambda: len(board.looks) >= before + 2)
        told = [checkpoint.event for checkpoint in await other.history(asked.run_id)]
    assert told.count("DeliveryLost") == 1
    assert len(board.pinned) == 2


async def test_process_without_the_workflow_finds_it_and_the_owner_delivers(database: str, clock: ManualClock) -> None:
    owner, stranger = Board(clock), Board(clock)
    stranger.torn.add(1)
    async with runner_on(database, clock, owner) as runner:
        await runner.run("asking")
        async with runner_on(database, clock, stranger, workflow=asking("other")):
            await pass_time(clock, runner, lambda: len(owner.pinned) == 2)

    assert owner.again == [{"pin": 1}]
    assert stranger.pinned == []


async def test_run_that_nobody_holds_is_looked_at_too(
    database: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(clock)
    async with runner_on(database, clock, board) as runner:
        asked = await runner.run("asking")
    board.torn.add(1)
    async with runner_on(database, clock, board, workflow=asking("other")) as runner:
        await pass_time(clock, runner, lambda: "delivery was lost" in caplog.messages)
        told = [checkpoint.event for checkpoint in await runner.history(asked.run_id)]

    async with runner_on(database, clock, board) as runner:
        await pass_time(clock, runner, lambda: len(board.pinned) == 2)

    assert told[-1] == "DeliveryLost"
    assert board.again == [{"pin": 1}]


async def test_loss_is_made_good_while_another_handler_still_asks(database: str, clock: ManualClock) -> None:
    class Asker:
        async def handle(self, _request: InterruptRequest) -> None:
            await asyncio.Event().wait()

    board = Board(clock)
    async with runner_on(database, clock, board, Asker()) as runner:
        await runner.start("asking")
        await pass_time(clock, runner, lambda: bool(board.pinned))
        board.torn.add(1)

        await pass_time(clock, runner, lambda: len(board.pinned) == 2)

    assert board.again == [{"pin": 1}]


async def test_lost_delivery_is_the_only_work_while_it_cannot_be_made_good(
    database: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blocked(Board):
        async def handle_again(self, request: InterruptRequest, lost: Receipt | None) -> Delivered:
            self.again.append(lost)
            await asyncio.Event().wait()
            raise AssertionError

    begun: list[Command] = []
    carry_out = HandlerOutbox.carry_out

    async def noted(outbox: HandlerOutbox, command: Command, run: OwnedRun) -> None:
        begun.append(command)
        await carry_out(outbox, command, run)

    monkeypatch.setattr(HandlerOutbox, "carry_out", noted)
    board = Blocked(clock)
    async with runner_on(database, clock, board) as runner:
        await runner.run("asking")
        board.torn.add(1)
        await pass_time(clock, runner, lambda: bool(board.again))

        await runner.list_runs()

    assert [type(command) for command in begun] == [Deliver, Redeliver]


async def test_handler_is_told_that_an_earlier_process_may_have_delivered(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    async with runner_on(database, clock) as runner:
        asked = await runner.run("asking")

    async with runner_on(database, clock, board) as runner:
        await runner.wait(asked.run_id)

    assert board.again == [None]


async def test_handler_is_told_that_its_earlier_try_failed(database: str, clock: ManualClock) -> None:
    class Stumbling(Board):
        async def handle(self, request: InterruptRequest) -> Delivered:
            if not self.again:
                raise OSError("the pin broke")
            return await super().handle(request)

    board = Stumbling(clock)
    async with runner_on(database, clock, board) as runner:
        await runner.run("asking")

        await pass_time(clock, runner, lambda: bool(board.pinned))

    assert board.again == [None]


async def test_delivery_that_ends_although_it_was_cancelled_is_settled(database: str, clock: ManualClock) -> None:
    class Posting(Board):
        began = asyncio.Event()

        async def handle(self, request: InterruptRequest) -> Delivered:
            self.began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await super().handle(request)
            raise AssertionError

    board = Posting(clock)
    async with runner_on(database, clock, board) as runner:
        run_id = await runner.start("asking")
        await board.began.wait()
        [request] = await runner.list_pending(run_id=run_id)

        await runner.answer(request.id, request.answer("approve"))

        await pass_time(clock, runner, lambda: bool(board.settled))
        [record] = (await runner.get(run_id)).interrupts
    assert board.settled == [{"pin": 1}]
    assert record.status is InterruptStatus.APPROVED


async def test_cancelled_delivery_that_fails_is_not_tried_again(database: str, clock: ManualClock) -> None:
    class Failing(Board):
        began = asyncio.Event()

        async def handle(self, request: InterruptRequest) -> Delivered:
            self.pinned.append(request.reason)
            self.began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("the pin broke") from None
            raise AssertionError

    board = Failing(clock)
    async with runner_on(database, clock, board) as runner:
        run_id = await runner.start("asking")
        await board.began.wait()
        [request] = await runner.list_pending(run_id=run_id)

        await runner.answer(request.id, request.answer("approve"))

        assert (await runner.wait(run_id, over=True)).status is RunStatus.COMPLETED
    assert board.pinned == ["Ship it?"]


async def test_question_that_the_run_in_memory_does_not_know_is_left_to_who_has_the_run(
    database: str, clock: ManualClock
) -> None:
    board = Board(clock)
    async with runner_on(database, clock, board) as runner:
        asked = await runner.run("asking")
    looked: list[str] = []

    async with SqliteStore(database) as store:
        first, *_ = await store.events(asked.run_id)
        shape = read_shape(await store.shape(json.loads(first[2])["shape"]))

        async def look(run_id: str) -> RunState:
            looked.append(run_id)
            return replay(None, [first], lambda _: shape)[0]

        async def tell_lost(*_: object) -> bool:
            raise AssertionError("nothing is known to be lost")

        questions = StoredQuestions(store=store, clock=clock, look=look, tell_lost=tell_lost)
        made = reconciler.Reconciler(handlers={"board": board}, questions=questions, clock=clock)
        rounds = asyncio.create_task(made.run())
        async with asyncio.timeout(20):
            while len(looked) < 2 and not rounds.done():
                clock.advance(timedelta(seconds=60))
                await store.data_version()
        rounds.cancel()
        [ended] = await asyncio.gather(rounds, return_exceptions=True)

    assert isinstance(ended, asyncio.CancelledError)
    assert board.looks == []
