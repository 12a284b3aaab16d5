"""Runs that wait for people: nobody needs to own them, and their deadlines fire all the same."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    AlreadyAnsweredError,
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.clock import to_text
from spectra_bot.embedded import EmbeddedEngine
from spectra_bot.store import queries
from spectra_bot.testing.clock import ManualClock

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Desk:
    """A handler that delivers, notes what it was given, and can close it."""

    def __init__(self, name: str = "Desk") -> None:
        self.name = name
        self.handled: list[str] = []

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.handled.append(request.id)
        return Delivered({"desk": 1})

    async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: object) -> None: ...


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def asking(name: str = "asking", timeout: timedelta | None = HOUR) -> Workflow:
    workflow = Workflow(name)
    workflow.add("gate", HumanGateStep("Ship it?", timeout=timeout))

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    return workflow


def held(runner: WorkflowRunner) -> list[str]:
    """The runs that a runner has in memory."""
    engine = runner._engine  # nothing else shows it
    assert isinstance(engine, EmbeddedEngine)
    return [run.state.run_id for run in engine._holdings.all_here()]


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(query).fetchall()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_run_that_only_waits_for_people_is_not_taken_over(database: str) -> None:
    desk = Desk()
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        asked = await runner.run("asking")

    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        held_at_start = held(runner)
        done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert held_at_start == []
    assert done.status is RunStatus.COMPLETED
    assert len(desk.handled) == 1


async def test_run_is_taken_over_for_a_handler_that_has_not_had_its_question(database: str) -> None:
    desk, other = Desk(), Desk("Other")
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        asked = await runner.run("asking")

    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk, other]) as runner:

        async def was_delivered() -> bool:
            return rows(database, "select delivered_to from runs") == [('["Desk", "Other"]',)]

        await until(was_delivered)
        held_for_it = held(runner)
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[other]) as runner:
        held_later = held(runner)

    assert held_for_it == [asked.run_id]
    assert other.handled == [asked.pending[0].id]
    assert held_later == []


async def test_run_with_a_message_to_close_is_taken_over(database: str) -> None:
    class Stuck(Desk):
        async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: object) -> None:
            raise ConnectionError("no line")

    workflow = asking()
    workflow.add("again", HumanGateStep("Sure?"))
    async with WorkflowRunner(workflows=[workflow], database=database, handlers=[Stuck("Stuck")]) as runner:
        asked = await runner.run("asking")
        asked = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    waiting = rows(database, "select status, delivered_to from runs")

    async with WorkflowRunner(workflows=[workflow], database=database, handlers=[Desk("Stuck")]) as runner:

        async def was_settled() -> bool:
            return (await runner.get(asked.run_id)).interrupts[0].deliveries[0].settled_at is not None

        await until(was_settled)
    quiet = rows(database, "select status, delivered_to from runs")

    assert waiting == [("interrupted", None)]
    assert quiet == [("interrupted", '["Stuck"]')]


async def test_deadline_of_a_run_that_nobody_owns_fires(database: str, clock: ManualClock) -> None:
    workflow = asking()
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        asked = await runner.run("asking")
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        held_before = held(runner)

        async def is_over() -> bool:
            clock.advance(SECOND)
            return [run.status for run in await runner.list_runs()] == [RunStatus.FAILED]

        clock.advance(HOUR - SECOND)
        await until(is_over)
        done = await runner.get(asked.run_id)

    assert held_before == []
    assert done.error == "gate: nobody decided in time: Ship it?"


async def test_deadline_of_a_run_that_nobody_owns_is_left_alone_by_whoever_only_steers_its_own(
    database: str, clock: ManualClock
) -> None:
    workflow = asking()
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        left = await runner.run("asking")
        clock.advance(HOUR / 2)
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock, recover=False) as runner:
        own = await runner.run("asking")

        clock.advance(HOUR)
        done = await asyncio.wait_for(runner.wait(own.run_id, over=True), 10)
        other = await runner.get(left.run_id)

    assert done.status is RunStatus.FAILED
    assert other.status is RunStatus.INTERRUPTED


async def test_many_that_start_at_once_record_each_overdue_deadline_once(database: str, clock: ManualClock) -> None:
    workflow = asking()
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        run_ids = [(await runner.run("asking")).run_id for _ in range(30)]
    clock.advance(2 * HOUR)

    async with AsyncExitStack() as stack:
        runners = [WorkflowRunner(workflows=[workflow], database=database, clock=clock) for _ in range(4)]
        await asyncio.gather(*(stack.enter_async_context(runner) for runner in runners))

        async def all_are_over() -> bool:
            clock.advance(SECOND)
            return {run.status for run in await runners[0].list_runs()} == {RunStatus.FAILED}

        await until(all_are_over)
        histories = [[entry.event for entry in await runners[0].history(run_id)] for run_id in run_ids]

    assert {tuple(history) for history in histories} == {
        ("RunStarted", "InterruptRaised", "InterruptExpired", "StepFailed")
    }


async def test_deadline_that_cannot_be_recorded_holds_up_no_other(
    database: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        broken = await runner.run("asking")
        sound = await runner.run("asking")
        rows(database, f"update interrupts set interrupt_id = 'i-gone' where run_id = '{broken.run_id}'")  # noqa: S608

        clock.advance(HOUR)
        done = await asyncio.wait_for(runner.wait(sound.run_id, over=True), 10)

    assert done.status is RunStatus.FAILED
    assert "deadline could not be recorded" in caplog.messages
    assert "background work failed" not in caplog.messages


async def test_deadline_of_a_workflow_that_is_not_loaded_waits_for_one_that_knows_it(
    database: str, clock: ManualClock
) -> None:
    known, unknown = asking(), asking("elsewhere")
    async with WorkflowRunner(workflows=[known, unknown], database=database, clock=clock) as runner:
        mine, other = await runner.run("asking"), await runner.run("elsewhere")
    clock.advance(2 * HOUR)

    async with WorkflowRunner(workflows=[known], database=database, clock=clock) as runner:
        await asyncio.wait_for(runner.wait(mine.run_id, over=True), 10)
        before = (await runner.get(other.run_id)).status
    async with WorkflowRunner(workflows=[unknown], database=database, clock=clock) as runner:
        after = await asyncio.wait_for(runner.wait(other.run_id, over=True), 10)

    assert before is RunStatus.INTERRUPTED
    assert after.status is RunStatus.FAILED


async def test_overdue_run_that_is_taken_for_whoever_waits_expires_at_once(database: str, clock: ManualClock) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        asked = await runner.run("asking")
    clock.jump(2 * HOUR)

    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock, recover=False) as runner:
        await runner.list_runs()  # by now the deadlines were looked at once, and the clock stands still
        done = await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)

    assert done.status is RunStatus.FAILED


async def test_run_that_breaks_a_rule_when_it_is_read_holds_up_no_other(database: str) -> None:
    begun = asyncio.Event()
    workflow = Workflow("long")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return "done"

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_ids = [await runner.start("long", run_id=f"r-{number}") for number in range(3)]
        await begun.wait()
        await asyncio.gather(*(runner.wait(run_id) for run_id in run_ids[1:]))
    rows(database, "update runs set status = 'running', is_open = 1, seq = 1")
    rows(database, "delete from events where seq > 1")
    answered = json.dumps({"at": "2026-01-05T09:00:00Z", "interrupt_id": "i-none"})
    rows(database, f"insert into events values ('r-0', 2, 'InterruptExpired', '{answered}')")  # noqa: S608

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        done = await asyncio.wait_for(asyncio.gather(*(runner.wait(run_id) for run_id in run_ids[1:])), 10)

    assert [result.status for result in done] == [RunStatus.COMPLETED] * 2


async def test_step_that_an_answer_set_going_while_nobody_owned_its_run_did_not_crash(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
    async with WorkflowRunner(database=database, recover=False) as answering:
        await answering.answer(asked.pending[0].id, asked.pending[0].answer("approve", responder="cli:ada"))

    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        done = await asyncio.wait_for(runner.wait(asked.run_id), 10)
        history = [entry.event for entry in await runner.history(asked.run_id)]

    assert done.outputs["ship"] == "shipped"
    assert "RunRecovered" not in history


async def test_wall_clock_that_jumps_ahead_fires_a_deadline_once(database: str, clock: ManualClock) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        asked = await runner.run("asking")

        clock.jump(5 * HOUR)
        clock.advance(SECOND)
        await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)
        clock.jump(-5 * HOUR)
        clock.advance(2 * HOUR)
        fresh = await runner.run("asking")
        clock.advance(HOUR)
        await asyncio.wait_for(runner.wait(fresh.run_id, over=True), 10)
        history = [entry.event for entry in await runner.history(asked.run_id)]

    assert history == ["RunStarted", "InterruptRaised", "InterruptExpired", "StepFailed"]


async def test_wall_clock_that_jumps_back_delays_a_deadline_and_loses_none(database: str, clock: ManualClock) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        early = await runner.run("asking")

        clock.jump(-3 * HOUR)
        late = await runner.run("asking")  # its deadline is the earlier one now
        clock.advance(HOUR)
        await asyncio.wait_for(runner.wait(late.run_id, over=True), 10)
        before = (await runner.get(early.run_id)).status
        clock.advance(3 * HOUR)
        await asyncio.wait_for(runner.wait(early.run_id, over=True), 10)
        [record] = (await runner.get(early.run_id)).interrupts

    assert before is RunStatus.INTERRUPTED
    assert record.status is InterruptStatus.TIMED_OUT


async def test_deadline_beside_a_step_at_work_fires(database: str, clock: ManualClock) -> None:
    go_on = asyncio.Event()
    workflow = Workflow("branches")
    workflow.add("gate", HumanGateStep("Ship it?", timeout=timedelta(milliseconds=100)), after=())

    @workflow.step(after=())
    async def work(ctx: StepContext) -> None:
        await go_on.wait()

    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock, recover=False) as runner:
        run_id = await runner.start("branches")

        async def is_asked() -> bool:
            return bool(await runner.list_pending(run_id=run_id))

        await until(is_asked)
        clock.advance(SECOND)
        done = await asyncio.wait_for(runner.wait(run_id, over=True), 10)

    assert done.error == "gate: nobody decided in time: Ship it?"


async def test_file_of_the_first_version_is_brought_up_to_date(database: str, clock: ManualClock) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        asked = await runner.run("asking")
    for statement in (
        "drop trigger runs_busy_again",
        "drop trigger interrupts_of_workflow",
        "drop index runs_owned",
        "drop index runs_quiet",
        "drop index interrupts_due",
        "alter table runs drop column delivered_to",
        "alter table interrupts drop column workflow",
        "create index runs_open on runs (owner) where is_open = 1",
        "create index interrupts_due on interrupts (deadline) where status = 'pending' and deadline is not null",
        "delete from _sqlite_migrations where name = 'm002_quiet_runs'",
        "pragma user_version = 1",
    ):
        rows(database, statement)

    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        held_first = held(runner)
    async with WorkflowRunner(workflows=[asking()], database=database, clock=clock) as runner:
        held_then = held(runner)
        clock.advance(HOUR)
        done = await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)

    assert held_first == [asked.run_id]
    assert held_then == []
    assert done.status is RunStatus.FAILED


@pytest.mark.parametrize(
    "query", ["ORPHANS", "UNDELIVERED", "OVERDUE", "DUE", "NEXT_DEADLINE", "RELEASE_RUNS", "NOTED"]
)
async def test_what_is_asked_every_second_looks_at_no_row_of_a_run_that_waits(database: str, query: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database):
        pass
    sql = getattr(queries, query).replace(":workflows", ":w0, :w1")
    names = ("me", "boot_id", "since", "until", "now", "w0", "w1", "limit", "except", "handlers")
    values: object = (to_text(ManualClock().now()),) if "?" in sql else dict.fromkeys(names, "[]")

    with closing(sqlite3.connect(database)) as connection:
        plan = [row[3] for row in connection.execute(f"explain query plan {sql}", values)]  # type: ignore[arg-type]

    reads = [step for step in plan if " USING " in step or step.startswith("SCAN")]
    tables = [step for step in reads if step.split()[1] in ("r", "i", "runs", "interrupts")]
    assert tables
    assert [step for step in tables if step.startswith("SCAN") and not step.endswith("runs_owned")] == [], plan


async def test_refused_answer_takes_over_nothing(database: str) -> None:
    started = asyncio.Event()
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> None:
        started.set()

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        asked = await runner.run("asking")
        [request] = asked.pending
    async with WorkflowRunner(database=database, recover=False) as elsewhere:
        await elsewhere.answer(request.id, request.answer("approve", responder="cli:ada"))
    async with WorkflowRunner(workflows=[workflow], database=database, recover=False) as refused:
        with pytest.raises(AlreadyAnsweredError):
            await refused.answer(request.id, request.answer("reject", responder="cli:bob"))

    assert not started.is_set()
