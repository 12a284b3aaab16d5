"""Whose run it is when its process is killed, stands still or is only slow: real processes on one file."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from spectra_bot import RunStatus, WorkflowRunner
from spectra_bot.embedded.ownership import LEASE_S
from spectra_bot.machine.endings import MAX_CRASHES
from tests.integration.processes import TIMEOUT_S, Process
from tests.integration.working_process import WORKFLOWS, recorded

WITHIN_S = 10
"""How soon a dead owner's runs are taken over."""
SHORT_LEASE_S = 2.0
RUN = "run-0"


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "spectra.db")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@asynccontextmanager
async def working(database: str, journal: Path, lease_s: float, *work: str) -> AsyncIterator[Process]:
    """A process that has loaded everything and waits for a line before it opens the database."""
    async with Process.started("tests.integration.working_process", database, str(journal), str(lease_s), *work) as one:
        assert await one.read() == "loaded"
        yield one


async def begun(process: Process) -> None:
    """Let a process open the database and start its one run; returns when the run's step says so."""
    process.write("go")
    assert await process.read() == "open"
    assert await process.read() in ("at work", "blocked")


def open_here(database: str, lease_s: float) -> WorkflowRunner:
    return WorkflowRunner(workflows=WORKFLOWS, database=database, lease_s=lease_s)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await holds():
            await asyncio.sleep(0.02)


async def all_are_over(runner: WorkflowRunner) -> bool:
    return not await runner.list_runs(status=RunStatus.RUNNING, limit=1)


async def asks(runner: WorkflowRunner) -> bool:
    return bool(await runner.list_pending())


def change_owner(database: str, column: str) -> None:
    """Have the one owner's row say that its process lives elsewhere."""
    connection = sqlite3.connect(database)
    with connection:
        changed = connection.execute(f"update owners set {column} = 'elsewhere'").rowcount  # noqa: S608
    connection.close()
    assert changed == 1


async def test_eight_processes_that_start_at_once_recover_a_hundred_crashed_runs_each_step_once(
    database: str, journal: Path
) -> None:
    async with working(database, journal, LEASE_S, "crashing", "100") as crashed:
        crashed.write("go")
        said = [await crashed.read() for _ in range(1 + 100)]
        assert Counter(said)["at work"] == 100
        await crashed.kill()
    assert Counter(word for _, word, _ in recorded(journal)) == {"before": 100, "work": 100}

    async with AsyncExitStack() as stack:
        eight = [await stack.enter_async_context(working(database, journal, LEASE_S)) for _ in range(8)]
        for process in eight:
            process.write("go")
        async with WorkflowRunner(database=database, read_only=True) as reading:
            await until(lambda: all_are_over(reading))
            runs = await reading.list_runs(limit=200)

    assert Counter(run.status for run in runs) == {RunStatus.COMPLETED: 100}
    pids = {process.process.pid for process in eight}
    done = Counter((run_id, word) for run_id, word, pid in recorded(journal) if pid in pids)
    assert done == {(run.run_id, word): 1 for run in runs for word in ("work", "behind")}
    assert Counter(word for _, word, _ in recorded(journal)) == {"before": 100, "work": 200, "behind": 100}


@pytest.mark.parametrize(("unknown", "at_least_s"), [(None, 0), ("pid_namespace", LEASE_S / 2), ("boot_id", 0)])
async def test_runs_of_a_dead_owner_are_taken_over_within_ten_seconds(
    database: str, journal: Path, unknown: str | None, at_least_s: float, record_property: Callable[[str, object], None]
) -> None:
    """Where its process id means nothing here only its lease tells; a beat of another boot means nothing at all."""
    async with working(database, journal, LEASE_S, "crashing", "1") as dying:
        await begun(dying)
        if unknown:
            change_owner(database, unknown)
        if unknown == "boot_id":
            await dying.kill()
        async with open_here(database, LEASE_S) as runner:
            killed_at = time.monotonic()
            if unknown != "boot_id":
                await dying.kill()
            done = await asyncio.wait_for(runner.wait(RUN, over=True), TIMEOUT_S)
            took_s = time.monotonic() - killed_at

    record_property("took_s", took_s)
    assert done.status is RunStatus.COMPLETED
    assert at_least_s <= took_s <= WITHIN_S


async def test_answer_to_one_process_is_carried_out_by_the_owner_though_both_could(
    database: str, journal: Path
) -> None:
    async with working(database, journal, LEASE_S, "asking", "1") as owning, open_here(database, LEASE_S) as answering:
        owning.write("go")
        assert await owning.read() == "open"
        await until(lambda: asks(answering))
        [request] = await answering.list_pending()

        await answering.answer(request.id, request.answer("approve", responder="cli:ada"))
        done = await asyncio.wait_for(answering.wait(RUN, over=True), TIMEOUT_S)

    assert done.status is RunStatus.COMPLETED
    assert recorded(journal) == [(RUN, "ship", owning.process.pid)]


async def test_owner_that_stood_still_before_its_effect_does_not_begin_it_when_it_wakes(
    database: str, journal: Path
) -> None:
    async with working(database, journal, SHORT_LEASE_S, "blocking", "1") as stopped:
        await begun(stopped)
        stopped.process.send_signal(signal.SIGSTOP)
        async with open_here(database, SHORT_LEASE_S) as runner:
            done = await asyncio.wait_for(runner.wait(RUN, over=True), TIMEOUT_S)
            before = await runner.history(RUN)
            stopped.write("go on")  # it stands in the line above its effect
            stopped.process.send_signal(signal.SIGCONT)
            said = await stopped.read()
            after = await runner.history(RUN)

    assert done.status is RunStatus.COMPLETED
    assert said == "not begun"
    assert [pid == stopped.process.pid for _, word, pid in recorded(journal) if word == "effect"] == [False]
    assert after == before


async def test_step_that_blocks_the_event_loop_past_the_lease_keeps_its_run(database: str, journal: Path) -> None:
    async with working(database, journal, SHORT_LEASE_S, "blocking", "1") as blocked:
        await begun(blocked)
        async with open_here(database, SHORT_LEASE_S) as runner:
            await asyncio.sleep(2 * SHORT_LEASE_S)  # long enough to take it over, were it to be had
            blocked.write("go on")
            done = await asyncio.wait_for(runner.wait(RUN, over=True), TIMEOUT_S)
            history = [entry.event for entry in await runner.history(RUN)]

    assert done.status is RunStatus.COMPLETED
    assert recorded(journal) == [(RUN, word, blocked.process.pid) for word in ("block", "effect")]
    assert "RunRecovered" not in history


async def killed_while_asking(database: str, journal: Path, workflow: str) -> None:
    """A run waits for people, its owner is dead, and an answer comes from outside: nobody has taken the run since."""
    async with working(database, journal, LEASE_S, workflow, "1") as dying:
        dying.write("go")
        assert await dying.read() == "open"
        async with WorkflowRunner(database=database, recover=False) as outside:
            await until(lambda: asks(outside))
            await dying.kill()
            [request] = await outside.list_pending()
            await outside.answer(request.id, request.answer("approve", responder="cli:ada"))


async def test_answer_from_outside_to_a_run_of_a_dead_owner_is_carried_out_and_is_no_crash(
    database: str, journal: Path
) -> None:
    await killed_while_asking(database, journal, "asking")

    async with open_here(database, LEASE_S) as runner:
        done = await asyncio.wait_for(runner.wait(RUN, over=True), TIMEOUT_S)
        history = [entry.event for entry in await runner.history(RUN)]

    assert done.status is RunStatus.COMPLETED
    assert [word for _, word, _ in recorded(journal)] == ["ship"]
    assert "RunRecovered" not in history


async def test_step_that_kills_its_process_fails_its_run_also_after_an_answer_from_outside(
    database: str, journal: Path
) -> None:
    await killed_while_asking(database, journal, "deadly")

    for _ in range(MAX_CRASHES):
        async with working(database, journal, LEASE_S) as dying:
            dying.write("go")
            await asyncio.wait_for(dying.process.wait(), TIMEOUT_S)
    async with open_here(database, LEASE_S) as runner:
        failed = await asyncio.wait_for(runner.wait(RUN, over=True), TIMEOUT_S)

    assert failed.status is RunStatus.FAILED
    assert f"died under it {MAX_CRASHES} times" in str(failed.error)
    assert len(recorded(journal)) == MAX_CRASHES
