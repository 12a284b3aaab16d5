"""What was delivered is compared with what still stands, and what is gone is delivered anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunStatus,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.embedded import reconciler
from spectra_bot.embedded.journal import read_shape, replay
from spectra_bot.embedded.outbox import HandlerOutbox
from spectra_bot.embedded.owned_run import OwnedRun
from spectra_bot.machine import Command, Deliver, Redeliver, RunState
from spectra_bot.store import SqliteStore
from spectra_bot.testing.clock import ManualClock

Receipt = Mapping[str, JsonValue]


class SlowDownError(Exception):
    """What a rate limit looks like to the engine."""

    retry_after_s = 30.0


class Board:
    """A handler that pins questions to a board, from which people may tear them."""

    name = "board"

    def __init__(self, clock: ManualClock) -> None:
        self.pinned: list[str] = []
        self.torn: set[int] = set()
        self.again: list[Receipt | None] = []
        self.settled: list[Receipt] = []
        self.looks: list[float] = []
        self.seen: list[JsonValue] = []
        self.problem: Exception | None = None
        self.look: Callable[[], Awaitable[None]] | None = None
        self._clock = clock

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.pinned.append(request.reason)
        return Delivered({"pin": len(self.pinned)})

    async def handle_again(self, request: InterruptRequest, lost: Receipt | None) -> Delivered:
        self.again.append(lost)
        return await self.handle(request)

    async def stands(self, request: InterruptRequest, receipt: Receipt) -> bool:
        self.looks.append(self._clock.monotonic())
        self.seen.append(receipt["pin"])
        if self.look is not None:
            await self.look()
        if self.problem is not None:
            raise self.problem
        return receipt["pin"] not in self.torn

    async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: Receipt) -> None:
        self.settled.append(receipt)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


def asking(name: str = "asking") -> Workflow:
    workflow = Workflow(name)
    workflow.add("gate", HumanGateStep("Ship it?"))
    return workflow


def runner_on(
    database: str, clock: ManualClock, *handlers: IInterruptHandler, workflow: Workflow | None = None
) -> WorkflowRunner:
    return WorkflowRunner(workflows=[workflow or asking()], database=database, handlers=handlers, clock=clock)


async def pass_time(clock: ManualClock, runner: WorkflowRunner, until: Callable[[], bool]) -> None:
    """Move the clock by seconds, and let the engine follow, until something is so."""
    async with asyncio.timeout(20):
        while not until():
            clock.advance(timedelta(seconds=1))
            for _ in range(5):
                await runner.list_runs(limit=1)


async def test_question_that_was_taken_away_is_delivered_anew(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    async with runner_on(database, clock, board) as runner:
        asked = await runner.run("asking")
        board.torn.add(1)

        await pass_time(clock, runner, lambda: len(board.pinned) == 2)

        await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
        await pass_time(clock, runner, lambda: bool(board.settled))
        [record] = (await runner.get(asked.run_id)).interrupts
        told = [checkpoint.event for checkpoint in await runner.history(asked.run_id)]
    assert board.again == [{"pin": 1}]
    assert board.settled == [{"pin": 2}]
    assert (record.deliveries[0].lost, record.deliveries[0].attempts) == (1, 2)
    assert told.count("DeliveryLost") == 1


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


async def test_question_that_is_over_is_not_looked_at(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    async with runner_on(database, clock, board) as runner:
        over = await runner.run("asking")
        await runner.resume(over.run_id, over.pending[0].answer("approve"))
        before = len(board.looks)
        board.torn.add(1)
        await runner.run("asking")

        await pass_time(clock, runner, lambda: len(board.looks) > before + 1)

    assert board.pinned == ["Ship it?", "Ship it?"]


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


async def test_look_that_ends_after_the_answer_brings_nothing_back(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    looking, answered = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        await answered.wait()

    board.look = look
    async with runner_on(database, clock, board) as runner:
        asked = await runner.run("asking")
        board.torn.add(1)
        await pass_time(clock, runner, looking.is_set)
        done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
        answered.set()

        await pass_time(clock, runner, lambda: bool(board.settled))

        told = [checkpoint.event for checkpoint in await runner.history(asked.run_id)]
    assert done.status is RunStatus.COMPLETED
    assert board.pinned == ["Ship it?"]
    assert "DeliveryLost" not in told


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


async def test_process_that_stops_does_not_wait_for_a_look(database: str, clock: ManualClock) -> None:
    board = Board(clock)
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.Event().wait()

    board.look = look
    async with asyncio.timeout(10), runner_on(database, clock, board) as runner:
        await runner.run("asking")
        await pass_time(clock, runner, looking.is_set)


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

        made = reconciler.Reconciler(
            handlers={"board": board}, store=store, clock=clock, look=look, tell_lost=tell_lost
        )
        rounds = asyncio.create_task(made.run())
        async with asyncio.timeout(20):
            while len(looked) < 2 and not rounds.done():
                clock.advance(timedelta(seconds=60))
                await store.data_version()
        rounds.cancel()
        [ended] = await asyncio.gather(rounds, return_exceptions=True)

    assert isinstance(ended, asyncio.CancelledError)
    assert board.looks == []
