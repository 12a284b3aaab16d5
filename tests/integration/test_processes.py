"""Several processes on one file: real ones, killed for real."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from spectra_bot import RunStatus, StoreError, WorkflowRunner
from tests.integration.answering_process import LEASE_S, hanging, shipping
from tests.integration.processes import Process

TIMEOUT_S = 20


def process(*arguments: str) -> AbstractAsyncContextManager[Process]:
    return Process.started("tests.integration.answering_process", *arguments)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


async def test_of_eight_processes_that_answer_at_once_one_wins_each_of_fifty_rounds(database: str) -> None:
    names = [f"p{number}" for number in range(8)]
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(WorkflowRunner(workflows=[shipping], database=database))
        rounds = [(await runner.run("shipping")).pending[0] for _ in range(50)]
        answering = [await stack.enter_async_context(process("answer", database, name)) for name in names]
        for one in answering:
            assert await one.read() == "ready"

        outcomes = []
        for request in rounds:
            for one in answering:
                one.write(request.id)
            outcomes.append([(await one.read()).split() for one in answering])
        results = [await asyncio.wait_for(runner.wait(request.run_id, over=True), TIMEOUT_S) for request in rounds]

    for outcome in outcomes:
        winners = [name for word, name in outcome if word == "won"]
        told = {name for word, name in outcome if word == "lost"}
        assert len(winners) == 1
        assert told == set(winners)
    assert {result.status for result in results} == {RunStatus.COMPLETED}
    assert len({name for outcome in outcomes for word, name in outcome if word == "won"}) > 1


async def test_answer_given_to_one_process_is_carried_out_by_the_owner(database: str) -> None:
    async with process("serve", database) as serving:
        assert await serving.read() == "ready"
        async with WorkflowRunner(workflows=[shipping], database=database, recover=False) as runner:
            first = await runner.run("shipping")
        async with WorkflowRunner(database=database, recover=False) as answering:
            [request] = first.pending

            await answering.answer(request.id, request.answer("approve", responder="cli:ada"))
            done = await asyncio.wait_for(answering.wait(first.run_id, over=True), TIMEOUT_S)

    assert done.outputs["ship"] == "shipped"


async def test_run_of_a_killed_process_is_taken_over_and_its_effects_are_not_repeated(
    database: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    async with process("start", database, str(marks)) as starting:
        run_id = await starting.read()
        assert await starting.read() == "hanging"
        await starting.kill()

    async with WorkflowRunner(workflows=[hanging], database=database, lease_s=LEASE_S) as runner:
        done = await asyncio.wait_for(runner.wait(run_id, over=True), 10)
        history = [entry.event for entry in await runner.history(run_id)]

    assert done.outputs["hang"] == "went on"
    assert marks.read_text().split() == ["effect", "run"]
    assert "RunRecovered" in history


async def test_owner_that_stood_still_past_its_lease_stores_nothing_more(database: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with process("start", database, str(marks)) as starting:
        run_id = await starting.read()
        assert await starting.read() == "hanging"
        starting.process.send_signal(signal.SIGSTOP)
        async with WorkflowRunner(workflows=[hanging], database=database, lease_s=LEASE_S) as runner:
            done = await asyncio.wait_for(runner.wait(run_id, over=True), 10)
            before = await runner.history(run_id)
            starting.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(3 * LEASE_S / 4)  # long enough for it to beat and look around again
            after = await runner.history(run_id)

    assert done.status is RunStatus.COMPLETED
    assert after == before


async def test_reading_takes_over_nothing_and_makes_no_file(database: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is none yet"):
        async with WorkflowRunner(database=database, read_only=True):
            pass
    assert not Path(database).exists()
    async with process("start", database, str(tmp_path / "marks")) as starting:
        run_id = await starting.read()
        assert await starting.read() == "hanging"
        await starting.kill()

    async with WorkflowRunner(workflows=[hanging], database=database, read_only=True, lease_s=0.0) as reading:
        seen = await reading.get(run_id)
        [listed] = await reading.list_runs()

    assert seen.status is listed.status is RunStatus.RUNNING
    assert (tmp_path / "marks").read_text().split() == ["effect", "run"]


async def test_database_is_private_to_its_owner(database: str) -> None:
    previous = os.umask(0)
    try:
        async with WorkflowRunner(workflows=[shipping], database=database) as runner:
            await runner.run("shipping")
            modes = {stat.S_IMODE(path.stat().st_mode) for path in Path(database).parent.iterdir()}
    finally:
        os.umask(previous)

    assert modes == {0o600}
