"""Questions that were asked together reach a handler together, where it can do that; each is decided by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    InterruptRequest,
    InterruptResponse,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from tests.conformance.conftest import OpenRunner

TIMEOUT_S = 20


class Board:
    """A handler that pins up the questions of a group on one sheet."""

    def __init__(self, name: str = "board", *, room: int = 10, failures: int = 0) -> None:
        self.name = name
        self.sheets: list[list[str]] = []
        """The reasons on each."""
        self.again: list[bool] = []
        self.settled: list[str] = []
        self.hold: asyncio.Event | None = None
        self.is_at_it = asyncio.Event()
        self.was_cancelled = False
        self._room = room
        self._failures = failures

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.sheets.append([request.reason])
        return Delivered({"sheet": len(self.sheets)})

    async def handle_group(self, requests: Sequence[InterruptRequest], *, again: bool) -> Mapping[str, Delivered]:
        self.again.append(again)
        self.is_at_it.set()
        if self._failures:
            self._failures -= 1
            raise ConnectionError("no way to people just now")
        if self.hold is not None:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        taken = requests[: self._room]
        self.sheets.append([request.reason for request in taken])
        return {request.id: Delivered({"sheet": len(self.sheets)}) for request in taken}

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        self.settled.append(f"{request.reason} {response.option} on {receipt['sheet']}")


class Plain:
    """A handler that knows no groups, and answers some questions itself."""

    name = "plain"

    def __init__(self, *answers: str) -> None:
        self.asked: list[str] = []
        self.hold: dict[str, asyncio.Event] = {}
        """What it waits for before it goes on with a question, by its reason."""
        self._answers = answers

    async def handle(self, request: InterruptRequest) -> InterruptResponse | None:
        self.asked.append(request.reason)
        if request.reason in self.hold:
            await self.hold[request.reason].wait()
        return request.answer("approve") if request.reason in self._answers else None


def asking(*reasons: str, group: str | None = "calls") -> Workflow:
    """A workflow whose one step asks all of it at once."""
    workflow = Workflow("asking")

    @workflow.step
    async def work(ctx: StepContext) -> dict[str, JsonValue]:
        asked = [ctx.interrupt(InterruptRequest(reason=reason, group=group), key=reason) for reason in reasons]
        return {answer.request.reason: answer.option for answer in await asyncio.gather(*asked) if answer.request}

    return workflow


async def eventually(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not ready():
            await asyncio.sleep(0.01)


async def answered(runner: WorkflowRunner, run_id: str, **options: str) -> None:
    """Answer the open questions of these reasons, in this order."""
    pending = {request.reason: request for request in await runner.list_pending(run_id=run_id)}
    for reason, option in options.items():
        await runner.answer(pending[reason].id, pending[reason].answer(option))


async def test_group_is_delivered_together_and_settled_one_by_one(open_runner: OpenRunner) -> None:
    board = Board()
    runner = await open_runner(asking("A", "B", "C"), handlers=[board])

    asked = await runner.run("asking")
    await answered(runner, asked.run_id, B="reject", C="approve", A="approve")
    done = await runner.wait(asked.run_id, over=True)

    await eventually(lambda: len(board.settled) == 3)
    assert done.outputs == {"work": {"A": "approve", "B": "reject", "C": "approve"}}
    assert board.sheets == [["A", "B", "C"]]
    assert sorted(board.settled) == ["A approve on 1", "B reject on 1", "C approve on 1"]
    assert {request.group for request in asked.pending} == {asked.pending[0].id}


async def test_question_alone_in_its_group_is_asked_as_any_other(open_runner: OpenRunner) -> None:
    board = Board()
    runner = await open_runner(asking("A"), handlers=[board])

    asked = await runner.run("asking")

    assert asked.pending[0].group is None
    assert (board.sheets, board.again) == ([["A"]], [])


async def test_what_does_not_fit_is_delivered_behind_it(open_runner: OpenRunner) -> None:
    board = Board(room=2)
    runner = await open_runner(asking("A", "B", "C", "D", "E"), handlers=[board])

    await runner.run("asking")

    await eventually(lambda: len(board.sheets) == 3)
    assert board.sheets == [["A", "B"], ["C", "D"], ["E"]]


async def test_handler_that_knows_no_groups_is_asked_one_by_one_and_what_it_answers_is_not_asked_again(
    open_runner: OpenRunner,
) -> None:
    plain, board = Plain("B"), Board()
    runner = await open_runner(asking("A", "B", "C"), handlers=[plain, board])

    asked = await runner.run("asking")

    await eventually(lambda: bool(board.sheets))
    assert sorted(plain.asked) == ["A", "B", "C"]
    assert board.sheets == [["A", "C"]]
    assert [request.reason for request in asked.pending] == ["A", "C"]


async def test_question_that_an_earlier_handler_is_still_at_is_waited_for(open_runner: OpenRunner) -> None:
    plain, board = Plain(), Board()
    plain.hold["A"] = asyncio.Event()
    runner = await open_runner(asking("A", "B"), handlers=[plain, board])
    await runner.start("asking")
    await eventually(lambda: len(plain.asked) == 2)
    for _ in range(20):
        await asyncio.sleep(0)

    plain.hold["A"].set()

    await eventually(lambda: bool(board.sheets))
    assert board.sheets == [["A", "B"]]


async def test_group_that_could_not_be_delivered_is_delivered_again_together(open_runner: OpenRunner) -> None:
    board = Board(failures=1)
    runner = await open_runner(asking("A", "B"), handlers=[board])

    asked = await runner.run("asking")
    failing = (await runner.get(asked.run_id)).interrupts

    assert [record.deliveries[0].attempts for record in failing] == [1, 1]
    assert all("no way to people" in (record.deliveries[0].last_error or "") for record in failing)


async def being_delivered(open_runner: OpenRunner) -> tuple[Board, WorkflowRunner, str, asyncio.Event]:
    """A board that has the questions A and B and posts them when the event is set, and their run."""
    board = Board()
    board.hold = hold = asyncio.Event()
    runner = await open_runner(asking("A", "B"), handlers=[board])
    run_id = await runner.start("asking")
    async with asyncio.timeout(TIMEOUT_S):
        await board.is_at_it.wait()
    return board, runner, run_id, hold


async def test_answer_while_a_group_is_being_delivered_stops_no_other(open_runner: OpenRunner) -> None:
    board, runner, run_id, hold = await being_delivered(open_runner)

    await answered(runner, run_id, A="approve")
    hold.set()

    await eventually(lambda: board.settled == ["A approve on 1"])
    assert board.sheets == [["A", "B"]]
    assert (await runner.wait(run_id)).status is RunStatus.INTERRUPTED


async def test_delivery_of_a_group_ends_when_all_of_it_is_answered(open_runner: OpenRunner) -> None:
    board, runner, run_id, _ = await being_delivered(open_runner)

    await answered(runner, run_id, A="approve", B="reject")

    done = await runner.wait(run_id, over=True)
    await eventually(lambda: board.was_cancelled)
    assert done.outputs == {"work": {"A": "approve", "B": "reject"}}
    assert board.sheets == []


async def test_cancelled_run_settles_each_of_a_group(open_runner: OpenRunner) -> None:
    board = Board()
    runner = await open_runner(asking("A", "B"), handlers=[board])
    asked = await runner.run("asking")

    await runner.cancel(asked.run_id)

    await eventually(lambda: len(board.settled) == 2)
    assert sorted(board.settled) == ["A None on 1", "B None on 1"]
