"""A store that fails or is locked for a while."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from spectra_bot import (
    RunStatus,
    StepContext,
    StoreError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.embedded import EmbeddedEngine
from spectra_bot.store import SqliteStore
from tests.integration.asking import asking, until


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def read_only(runner: WorkflowRunner, *, on: bool) -> None:
    """Have the runner's own connection refuse every write, as a full disk does."""
    engine = runner._engine  # the fault is made inside
    assert isinstance(engine, EmbeddedEngine)
    store = engine._store
    assert isinstance(store, SqliteStore)
    await store.writer.submit(lambda c: c.execute(f"pragma query_only = {int(on)}").fetchall(), writes=False)


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
