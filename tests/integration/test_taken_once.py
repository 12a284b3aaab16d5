"""A run that is wanted from several sides at once is taken by one, and once."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from spectra_bot import (
    InterruptRequest,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.clock import SystemClock
from spectra_bot.embedded.ownership import LEASE_S, new_owner
from spectra_bot.store import Change, NewRun, SqliteStore
from tests.integration.asking import asking, until


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


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
