"""The embedded engine between two processes' lives, and when those around it fail."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptStatus,
    RunStatus,
    RunUpdate,
    StepContext,
    StoreError,
    UnreadableRunError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.clock import SystemClock
from spectra_bot.embedded.ownership import LEASE_S, new_owner
from spectra_bot.store import Change, NewRun, SqliteStore
from spectra_bot.testing.clock import ManualClock


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


def asking(timeout: timedelta | None = None) -> Workflow:
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?", timeout=timeout))

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    return workflow


class Desk:
    """A handler that delivers, and notes what it was given."""

    def __init__(self) -> None:
        self.handled: list[str] = []

    async def handle(self, request: InterruptRequest) -> Delivered:
        self.handled.append(request.id)
        return Delivered({"desk": 1})


async def read_only(runner: WorkflowRunner, *, on: bool) -> None:
    """Have the runner's own connection refuse every write, as a full disk does."""
    store = runner._engine._store  # the fault is made inside
    assert isinstance(store, SqliteStore)
    await store.writer.submit(lambda c: c.execute(f"pragma query_only = {int(on)}").fetchall(), writes=False)


def owned_by_another(database: str, *, lives: bool = True) -> None:
    """Give every run to an owner that is nobody, and let it live for some seconds, or die."""
    us = new_owner()
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("delete from owners where owner_id = 'o-other'")
        if lives:
            row = ("o-other", us.boot_id, "elsewhere", us.pid, SystemClock().monotonic() + LEASE_S / 2)
            connection.execute("insert into owners values (?, ?, ?, ?, ?)", row)
            connection.execute("update runs set owner = 'o-other'")
    connection.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_waiting_run_survives_the_process_and_is_not_asked_twice(database: str) -> None:
    first, second = Desk(), Desk()
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[first]) as runner:
        asked = await runner.run("asking")
    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[second]) as runner:
        before = await runner.wait(asked.run_id)
        done = await runner.resume(asked.run_id, before.pending[0].answer("approve"))

    assert before.pending == asked.pending
    assert first.handled == [asked.pending[0].id]
    assert second.handled == []
    assert done.status is RunStatus.COMPLETED


async def test_question_that_was_never_delivered_is_delivered_by_the_next_process(database: str) -> None:
    desk = Desk()
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")

    async with WorkflowRunner(workflows=[asking()], database=database, handlers=[desk]) as runner:
        await runner.wait(asked.run_id)

    assert desk.handled == [asked.pending[0].id]


async def test_deadline_that_passed_while_no_process_ran_fires_at_the_next_start(database: str) -> None:
    clock = ManualClock()
    workflow = asking(timeout=timedelta(hours=1))
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        asked = await runner.run("asking")
    clock.advance(timedelta(hours=3))

    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        done = await asyncio.wait_for(runner.wait(asked.run_id, over=True), 10)
        [record] = (await runner.get(asked.run_id)).interrupts

    assert done.error == "gate: nobody decided in time: Ship it?"
    assert record.status is InterruptStatus.TIMED_OUT


async def test_step_that_was_stopped_with_its_process_runs_again_in_the_next(database: str) -> None:
    started: list[int] = []
    workflow = Workflow("long")
    reached = asyncio.Event()

    @workflow.step
    async def work(ctx: StepContext) -> str:
        started.append(ctx.attempt)
        if len(started) == 1:
            reached.set()
            await asyncio.Event().wait()
        return "done"

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("long")
        await reached.wait()
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "done"
    assert started == [1, 1]


async def test_run_keeps_the_graph_it_started_on(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
    changed = asking()

    @changed.step
    async def added(ctx: StepContext) -> str:
        return "not part of the old run"

    async with WorkflowRunner(workflows=[changed], database=database) as runner:
        old = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
        new = await runner.run("asking")
        new = await runner.resume(new.run_id, new.pending[0].answer("approve"))

    assert "added" not in old.outputs
    assert old.status is RunStatus.COMPLETED
    assert "added" in new.outputs


async def test_step_that_is_gone_from_the_code_fails_its_run_by_name(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
    changed = Workflow("asking")
    changed.add("gate", HumanGateStep("Ship it?"))

    async with WorkflowRunner(workflows=[changed], database=database) as runner:
        done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.error == "ship: workflow asking has no step 'ship' any more"


async def test_start_that_is_cancelled_after_it_was_stored_still_runs(database: str) -> None:
    workflow = Workflow("quick")

    @workflow.step
    async def work(ctx: StepContext) -> None: ...

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        starting = asyncio.create_task(runner.start("quick", run_id="nightly"))
        await until(lambda: _is_queued(starting))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        async def completed() -> bool:
            return [run.status for run in await runner.list_runs()] == [RunStatus.COMPLETED]

        await until(completed)


async def _is_queued(task: asyncio.Task[str]) -> bool:
    """The task has given its change to the store, and waits."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not task.done()


async def test_store_that_fails_for_a_while_only_delays_a_result(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    workflow = Workflow("patient")
    failing, go_on = asyncio.Event(), asyncio.Event()

    @workflow.step
    async def work(ctx: StepContext) -> str:
        failing.set()
        await go_on.wait()
        return "done"

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("patient")
        await failing.wait()
        await read_only(runner, on=True)
        go_on.set()

        async def was_refused() -> bool:
            return "change was not stored" in caplog.messages

        await until(was_refused)
        await read_only(runner, on=False)
        done = await asyncio.wait_for(runner.wait(run_id), 10)

    assert done.outputs["work"] == "done"


async def test_failing_listener_does_not_hold_up_the_run(database: str) -> None:
    def broken(update: RunUpdate) -> None:
        raise ValueError(update.event)

    async with WorkflowRunner(workflows=[asking()], database=database, listeners=[broken]) as runner:
        asked = await runner.run("asking")

    assert asked.status is RunStatus.INTERRUPTED


async def test_listener_sees_steps_and_their_progress(database: str) -> None:
    seen: list[tuple[str, str | None, float | None, str]] = []
    workflow = Workflow("progress")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        ctx.progress(0.5, "half")

    def listen(update: RunUpdate) -> None:
        seen.append((update.event, update.step, update.fraction, update.text))

    async with WorkflowRunner(workflows=[workflow], database=database, listeners=[listen]) as runner:
        await runner.run("progress")

    assert seen == [
        ("StepStarted", "work", None, ""),
        ("StepProgress", "work", 0.5, "half"),
        ("StepCompleted", "work", None, ""),
    ]


async def test_store_that_cannot_be_written_tells_whoever_answers(database: str) -> None:
    async with WorkflowRunner(workflows=[asking()], database=database) as runner:
        asked = await runner.run("asking")
        [request] = asked.pending
        await read_only(runner, on=True)

        with pytest.raises(StoreError, match="readonly"):
            await runner.answer(request.id, request.answer("approve"))
        await read_only(runner, on=False)
        done = await runner.resume(asked.run_id, request.answer("approve"))

    assert done.status is RunStatus.COMPLETED


async def test_run_whose_takeover_could_not_be_stored_is_taken_over_again(database: str) -> None:
    workflow = Workflow("long")
    reached = asyncio.Event()

    @workflow.step
    async def work(ctx: StepContext) -> str:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return "done"

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("long")
        await reached.wait()
    file = sqlite3.connect(database, isolation_level=None)
    file.execute("update runs set owner = 'o-dead'")
    file.execute(
        "create trigger full before insert on events when new.kind = 'RunRecovered' "
        "begin select raise(abort, 'no space left'); end"
    )

    async with WorkflowRunner(workflows=[workflow], database=database, recover=False) as runner:
        with pytest.raises(StoreError, match="no space left"):
            await runner.wait(run_id)
        file.execute("drop trigger full")
        file.close()
        done = await asyncio.wait_for(runner.wait(run_id), 10)

    assert done.outputs["work"] == "done"


async def test_run_that_is_asked_for_while_others_are_taken_over_is_not_taken_twice(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions: list[str] = []
    workflow = Workflow("counted")
    held, let_go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    events = SqliteStore.events

    async def slow_for_the_first(store: SqliteStore, run_id: str, after: int = 0) -> list[tuple[int, str, str]]:
        if run_id == "r-1":
            held.set()
            await let_go.wait()
        return await events(store, run_id, after)

    @workflow.step
    async def work(ctx: StepContext) -> None:
        executions.append(ctx.run_id)
        await done.wait()

    async def has_begun(run_id: str) -> bool:
        return run_id in executions

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        async with WorkflowRunner(workflows=[workflow], database=database, recover=False) as other:
            for run_id in ("r-1", "r-2"):
                await other.start("counted", run_id=run_id)
                await until(lambda run_id=run_id: has_begun(run_id))  # type: ignore[misc]
        executions.clear()
        monkeypatch.setattr(SqliteStore, "events", slow_for_the_first)
        await asyncio.wait_for(held.wait(), 10)
        waiting = asyncio.create_task(runner.wait("r-2"))
        await until(lambda: has_begun("r-2"))
        let_go.set()
        await until(lambda: has_begun("r-1"))
        await runner.get("r-2")
        done.set()
        ended = await asyncio.wait_for(waiting, 10)

    assert ended.status is RunStatus.COMPLETED
    assert executions == ["r-2", "r-1"]


async def test_run_that_is_asked_for_before_its_start_has_returned_is_held_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions: list[int] = []
    workflow = Workflow("counted")
    stored, go_on = asyncio.Event(), asyncio.Event()
    create = SqliteStore.create

    async def slowly_told(store: SqliteStore, run: NewRun, change: Change, owner_id: str) -> bool:
        created = await create(store, run, change, owner_id)
        stored.set()
        await go_on.wait()
        return created

    @workflow.step
    async def work(ctx: StepContext) -> None:
        executions.append(ctx.attempt)
        go_on.set()

    monkeypatch.setattr(SqliteStore, "create", slowly_told)
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        starting = asyncio.create_task(runner.start("counted", run_id="r-1"))
        await stored.wait()
        await asyncio.wait_for(runner.wait("r-1"), 10)
        await starting
        done = await runner.wait("r-1")

    assert done.status is RunStatus.COMPLETED
    assert executions == [1]


async def test_run_goes_on_whichever_of_two_processes_wins_the_answer(database: str) -> None:
    workflow = asking()
    async with (
        WorkflowRunner(workflows=[workflow], database=database) as owner,
        WorkflowRunner(workflows=[workflow], database=database) as other,
    ):
        for number in range(40):
            asked = await owner.run("asking")
            [request] = asked.pending

            async def owners_answer(request: InterruptRequest = request, moment_s: float = number % 10 / 2500) -> None:
                await asyncio.sleep(moment_s)  # the two meet at another point each time
                await owner.answer(request.id, request.answer("approve", responder="cli:owner"))

            others_answer = other.answer(request.id, request.answer("approve", responder="cli:other"))
            await asyncio.gather(owners_answer(), others_answer, return_exceptions=True)

            done = await asyncio.wait_for(owner.wait(asked.run_id, over=True), 5)

            assert done.status is RunStatus.COMPLETED


async def test_owner_keeps_its_runs_while_another_program_locks_the_file(database: str) -> None:
    effects: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    workflow = Workflow("patient")

    async def effect() -> None:
        effects.append(1)
        begun.set()
        await go_on.wait()

    @workflow.step
    async def work(ctx: StepContext) -> None:
        await ctx.once("effect", effect)

    async with WorkflowRunner(workflows=[workflow], database=database, lease_s=0.4) as runner:
        run_id = await runner.start("patient")
        await begun.wait()
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("begin exclusive")
        await asyncio.sleep(1.2)  # three leases: what is tested is that they run out
        other.execute("rollback")
        other.close()
        await asyncio.sleep(0.6)
        go_on.set()
        done = await asyncio.wait_for(runner.wait(run_id), 10)
        history = [entry.event for entry in await runner.history(run_id)]

    assert done.status is RunStatus.COMPLETED
    assert effects == [1]
    assert "RunRecovered" not in history


async def test_run_that_a_newer_version_wrote_is_left_to_it_and_holds_up_no_other(database: str) -> None:
    clock = ManualClock()
    workflow = asking(timeout=timedelta(hours=1))
    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        newer = await runner.run("asking")
        mine = await runner.run("asking")
    connection = sqlite3.connect(database)
    connection.execute(
        "insert into events values (?, 3, 'RunTeleported', '{\"at\": \"2026-01-05T09:00:00Z\"}')", (newer.run_id,)
    )
    connection.execute("update runs set seq = 3 where run_id = ?", (newer.run_id,))
    connection.commit()
    connection.close()
    clock.advance(timedelta(hours=2))

    async with WorkflowRunner(workflows=[workflow], database=database, clock=clock) as runner:
        done = await asyncio.wait_for(runner.wait(mine.run_id, over=True), 10)
        listed = [request.run_id for request in await runner.list_pending()]
        with pytest.raises(UnreadableRunError, match="update this one"):
            await runner.answer(newer.pending[0].id, newer.pending[0].answer("approve"))

    assert done.status is RunStatus.FAILED
    assert listed == [newer.run_id]


async def test_orphan_that_is_asked_for_before_its_turn_to_be_loaded_is_carried_on_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    loading, may_load = asyncio.Event(), asyncio.Event()
    events = SqliteStore.events
    workflow = Workflow("working")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        begun.append(ctx.run_id)
        await asyncio.Event().wait()

    async def slow_for_the_first(store: SqliteStore, run_id: str, after: int = 0) -> list[tuple[int, str, str]]:
        if run_id == "r-1":
            loading.set()
            await may_load.wait()
        return await events(store, run_id, after)

    async def have_begun(*run_ids: str) -> bool:
        return set(run_ids) <= set(begun)

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        for run_id in ("r-1", "r-2", "r-3"):
            await runner.start("working", run_id=run_id)
        await until(lambda: have_begun("r-1", "r-2", "r-3"))
    owned_by_another(database)
    begun.clear()
    monkeypatch.setattr(SqliteStore, "events", slow_for_the_first)
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        owned_by_another(database, lives=False)
        await asyncio.wait_for(loading.wait(), 10)
        asking_for_it = asyncio.create_task(runner.wait("r-2"))
        await until(lambda: have_begun("r-2"))
        may_load.set()
        await until(lambda: have_begun("r-1", "r-3"))
        histories = [[entry.event for entry in await runner.history(run_id)] for run_id in begun]
        asking_for_it.cancel()

    assert sorted(begun) == ["r-1", "r-2", "r-3"]
    assert histories == [["RunStarted", "RunRecovered"]] * 3


async def test_process_that_is_told_to_stop_lets_an_effect_end(database: str) -> None:
    effects: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    workflow = Workflow("shipping")

    async def ship() -> str:
        effects.append(1)
        begun.set()
        await go_on.wait()
        return "shipped"

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return str(await ctx.once("ship", ship))

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        run_id = await runner.start("shipping")
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        done = await runner.wait(run_id)

    assert done.outputs["work"] == "shipped"
    assert effects == [1]
