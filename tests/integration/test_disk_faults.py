"""Disks that are full, fail or are locked: a clear error or a wait, and all that was acked is still there."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from spectra_bot import (
    HumanGateStep,
    InterruptRequest,
    RunDetails,
    RunStatus,
    StepContext,
    StoreError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.store import connection as opening
from spectra_bot.store import find_damage
from spectra_bot.store.connection import open_database
from spectra_bot.store.writer import Writer
from tests.integration.faulty_disk import Failing, Fault, Full, LockingProgram, faulty, on_connection
from tests.integration.schemas.workflows import World, workflows
from tests.integration.slack.bot import a_bot
from tests.integration.slack.workflows import ask
from tests.integration.test_schemas import KEPT, restored

TIMEOUT_S = 20
LEASE_S = 0.8
LARGE = "x" * 50_000
"""More than fits into the pages that are there."""
REFUSED = r"database: the disk (is full, so nothing was stored; make room and try again|fails)"


class Plant:
    """A workflow that asks, and then makes something large, once."""

    def __init__(self) -> None:
        self.made = 0
        self.worked = 0
        self.may_make = asyncio.Event()
        self.may_make.set()
        self.workflow = Workflow("plant")
        self.workflow.add("gate", HumanGateStep("Go on?"))

        @self.workflow.step
        async def work(ctx: StepContext) -> object:
            self.worked += 1
            await self.may_make.wait()

            def make() -> str:
                self.made += 1
                return LARGE

            return [await ctx.once("make", make), LARGE]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "spectra.db"


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
async def runner(database: Path, plant: Plant) -> AsyncIterator[WorkflowRunner]:
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database), lease_s=LEASE_S) as runner:
        yield runner


@pytest.fixture(params=[Full, Failing], ids=["full", "failing"])
def fault(request: pytest.FixtureRequest) -> Fault:
    made: Fault = request.param()
    return made


@pytest.fixture
def locking(database: Path) -> Iterator[LockingProgram]:
    open_database(str(database)).conn.close()
    program = LockingProgram(database)
    yield program
    program.close()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not is_so():
            await asyncio.sleep(0.01)


async def over(runner: WorkflowRunner, run_id: str) -> RunDetails:
    await asyncio.wait_for(runner.wait(run_id, over=True), TIMEOUT_S)
    return await runner.get(run_id)


def said(caplog: pytest.LogCaptureFixture, message: str) -> int:
    return caplog.messages.count(message)


async def test_results_wait_for_room_and_the_run_goes_on_by_itself(
    database: Path, runner: WorkflowRunner, plant: Plant, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    asked = await runner.run("plant")
    [request] = asked.pending
    plant.may_make.clear()
    await runner.answer(request.id, request.answer("approve", responder="cli:ada"))

    async with faulty(fault, runner, database):
        plant.may_make.set()
        await until(lambda: said(caplog, "change was not stored") >= 2)
        meanwhile = await runner.get(asked.run_id)
    done = await over(runner, asked.run_id)

    assert meanwhile.status is RunStatus.RUNNING
    assert [record.response.responder for record in meanwhile.interrupts if record.response] == ["cli:ada"]
    assert done.status is RunStatus.COMPLETED
    assert (plant.made, plant.worked) == (1, 1)


async def test_decision_that_could_not_be_stored_is_refused_and_can_be_given_again(
    database: Path, runner: WorkflowRunner, fault: Fault
) -> None:
    asked = await runner.run("plant")
    [request] = asked.pending
    response = request.answer("approve", responder="cli:ada", notes=LARGE)

    async with faulty(fault, runner, database):
        with pytest.raises(StoreError, match=REFUSED):
            await runner.answer(request.id, response)
        meanwhile = await runner.list_pending()
    await runner.answer(request.id, response.model_copy(update={"responder": "cli:grace"}))
    done = await over(runner, asked.run_id)
    history = await runner.history(asked.run_id)

    assert [pending.id for pending in meanwhile] == [request.id]
    assert done.status is RunStatus.COMPLETED
    assert [entry.by for entry in history if entry.event == "InterruptAnswered"] == ["cli:grace"]


async def test_run_that_could_not_be_stored_is_not_started(
    database: Path, runner: WorkflowRunner, fault: Fault
) -> None:
    await runner.run("plant", run_id="before")

    async with faulty(fault, runner, database):
        with pytest.raises(StoreError, match=REFUSED):
            await runner.start("plant", {"plan": LARGE}, run_id="meanwhile")
        meanwhile = await runner.list_runs()
    again = await runner.run("plant", {"plan": LARGE}, run_id="meanwhile")

    assert [run.run_id for run in meanwhile] == ["before"]
    assert again.status is RunStatus.INTERRUPTED


async def test_process_that_can_not_beat_for_longer_than_its_lease_keeps_its_runs(
    database: Path, runner: WorkflowRunner, plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    asked = await runner.run("plant")
    [request] = asked.pending
    ask_epoch = lambda c: c.execute("select owner, epoch from runs").fetchall()  # noqa: E731
    before = await on_connection(runner, ask_epoch)

    async with faulty(Failing(), runner, database):
        await until(lambda: said(caplog, "repeated work of the store failed") >= 6)
    await until(lambda: said(caplog, "process stood still, or could not write, for long") >= 1)
    await runner.answer(request.id, request.answer("approve"))
    done = await over(runner, asked.run_id)

    assert done.status is RunStatus.COMPLETED
    assert await on_connection(runner, ask_epoch) == before
    assert said(caplog, "run was taken over by another process") == 0


async def test_everything_acked_is_there_after_a_process_ended_on_a_full_disk(
    database: Path, plant: Plant, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database)) as first:
        runs = [(await first.run("plant")).pending[0] for _ in range(3)]
        await first.answer(runs[0].id, runs[0].answer("reject", responder="cli:ada"))
        await over(first, runs[0].run_id)
        await fault.begin(first, database)
        with pytest.raises(StoreError):
            await first.answer(runs[1].id, runs[1].answer("approve", notes=LARGE))
    await fault.end(first) if isinstance(fault, Failing) else None

    assert await asyncio.to_thread(find_damage, database) == []
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database), lease_s=LEASE_S) as second:
        rejected = await second.get(runs[0].run_id)
        waiting = await second.list_pending()
        for request in waiting:
            await second.answer(request.id, request.answer("approve", responder="cli:grace"))
            assert (await over(second, request.run_id)).status is RunStatus.COMPLETED

    assert [record.response.responder for record in rejected.interrupts if record.response] == ["cli:ada"]
    assert {request.id for request in waiting} == {runs[1].id, runs[2].id}


async def test_click_on_a_failing_disk_is_told_that_it_was_not_recorded(database: Path) -> None:
    async with a_bot(database, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        await bot.pending(run_id)

        async with faulty(Failing(), bot.runner, database):
            await bot.slack.click(message, "Approve", user="U2")
            await bot.slack.wait_for(lambda: "Not recorded" in bot.whispered("U2"))
            meanwhile = await bot.runner.get(run_id)
        again = await bot.slack.click(message, "Approve", user="U3")
        done = await bot.finished(run_id)

        assert again.is_acked
        answered = (await bot.runner.get(run_id)).interrupts[0].response

    assert meanwhile.interrupts[0].response is None
    assert answered is not None
    assert answered.responder == "slack:T1/U3"
    assert done.status is RunStatus.COMPLETED


async def test_run_taken_over_while_nothing_can_be_stored_goes_on_afterwards(tmp_path: Path) -> None:
    database = restored(KEPT[-1], tmp_path)
    refusing = sqlite3.connect(database, isolation_level=None)
    refusing.execute("create trigger refuse before insert on events begin select raise(abort, 'no room'); end")
    async with WorkflowRunner(workflows=workflows(World()), database=str(database)) as runner:
        with pytest.raises(StoreError, match="no room"):
            await runner.wait("running")

        refusing.execute("drop trigger refuse")
        refusing.close()
        async with asyncio.timeout(TIMEOUT_S):
            while (await runner.get("running")).status is not RunStatus.COMPLETED:  # without being asked for
                await asyncio.sleep(0.01)


async def test_change_waits_for_another_programs_transaction(
    database: Path, locking: LockingProgram, plant: Plant
) -> None:
    locking.let_go()
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database)) as runner:
        [request] = (await runner.run("plant")).pending
        again = LockingProgram(database)
        answering = asyncio.create_task(runner.answer(request.id, request.answer("approve")))
        await asyncio.wait([answering], timeout=0.3)
        assert not answering.done()

        again.let_go()
        await asyncio.wait_for(answering, TIMEOUT_S)
        done = await over(runner, request.run_id)
        again.close()

    assert done.status is RunStatus.COMPLETED


async def test_decision_behind_a_lock_that_lasts_is_refused_and_can_be_given_again(
    database: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.2)
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database), lease_s=LEASE_S) as runner:
        [request] = (await runner.run("plant")).pending
        locking = LockingProgram(database)
        with pytest.raises(StoreError, match="another program has kept it locked for too long, so nothing was stored"):
            await runner.answer(request.id, request.answer("approve", responder="cli:ada"))
        meanwhile = await runner.list_pending()

        locking.let_go()
        await runner.answer(request.id, request.answer("approve", responder="cli:grace"))
        done = await over(runner, request.run_id)
        locking.close()

    assert [pending.id for pending in meanwhile] == [request.id]
    assert [record.response.responder for record in done.interrupts if record.response] == ["cli:grace"]


async def test_jobs_behind_a_lock_are_refused_together_and_reads_are_answered(
    database: Path, locking: LockingProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.1)
    locking.let_go()
    writer = Writer(lambda: open_database(str(database)))
    await writer.open()
    begun: list[str] = []
    await writer.submit(lambda c: c.set_trace_callback(begun.append), writes=False)
    again = LockingProgram(database)

    jobs = [writer.submit(lambda c: c.execute("delete from attempts").rowcount, writes=True) for _ in range(50)]
    reading = writer.submit(lambda c: c.execute("select count(*) from runs").fetchone(), writes=False)
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    counted = await reading
    again.let_go()
    await writer.submit(lambda c: c.execute("delete from attempts").rowcount, writes=True)
    await writer.close()
    again.close()

    assert {type(outcome) for outcome in outcomes} == {StoreError}
    assert counted == (0,)
    assert begun.count("begin immediate") <= 4


def acked(database: Path, folder: Path) -> tuple[Path, Path]:
    """Copies of the file and its log, as a crash of the machine leaves them."""
    copies = folder / "spectra.db", folder / "spectra.db-wal"
    for source, copy in zip((database, Path(f"{database}-wal")), copies, strict=True):
        copy.write_bytes(source.read_bytes())
    return copies


def as_it_is(log: bytes) -> bytes:
    return log


def torn(log: bytes) -> bytes:
    return log[:-1000]


def torn_in_a_header(log: bytes) -> bytes:
    return log[: -4096 - 10]


def scrambled(log: bytes) -> bytes:
    return log[:-2000] + bytes(reversed(log[-2000:]))


def of_zeros(log: bytes) -> bytes:
    return log[:-4120] + bytes(4120)


@pytest.mark.parametrize(
    ("damage", "is_committed"),
    [
        (as_it_is, False),  # a commit that is whole on disk counts, whether or not anyone was told
        *(
            (damage, is_committed)
            for damage in (torn, torn_in_a_header, scrambled, of_zeros)
            for is_committed in (False, True)
        ),
    ],
)
async def test_log_that_ends_in_what_was_never_acked_is_read_to_what_was(
    damage: Callable[[bytes], bytes], is_committed: bool, database: Path, tmp_path: Path, plant: Plant
) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    async with WorkflowRunner(workflows=[plant.workflow], database=str(database)) as first:
        first_asked, second_asked = [(await first.run("plant")).pending[0] for _ in range(2)]
        await first.answer(first_asked.id, first_asked.answer("reject", responder="cli:ada"))
        await over(first, first_asked.run_id)
        whole = Path(f"{database}-wal").stat().st_size
        write_more(database, second_asked, commits=is_committed, copy=lambda: acked(database, crashed))
    log = crashed / "spectra.db-wal"
    assert log.stat().st_size > whole
    log.write_bytes(damage(log.read_bytes()))

    copy = str(crashed / "spectra.db")
    async with WorkflowRunner(workflows=[plant.workflow], database=copy, lease_s=LEASE_S) as second:
        rejected = await second.get(first_asked.run_id)
        waiting = await second.list_pending()
        await second.answer(second_asked.id, second_asked.answer("approve", responder="cli:grace"))
        done = await over(second, second_asked.run_id)

    assert [record.response.responder for record in rejected.interrupts if record.response] == ["cli:ada"]
    assert [request.id for request in waiting] == [second_asked.id]
    assert done.status is RunStatus.COMPLETED
    assert await asyncio.to_thread(find_damage, crashed / "spectra.db") == []


def write_more(database: Path, request: InterruptRequest, *, commits: bool, copy: Callable[[], object]) -> None:
    """Let a transaction that nobody is told of reach the log, and copy the files at that moment."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("pragma cache_size = 2")  # what is written goes to the log before it is committed
    connection.execute("begin immediate")
    connection.execute("update interrupts set status = 'approved' where interrupt_id = ?", (request.id,))
    for seq in range(100, 110):
        connection.execute("insert into events values (?, ?, 'Nonsense', ?)", (request.run_id, seq, "x" * 20_000))
    if commits:
        connection.execute("commit")
        copy()
        connection.execute("begin immediate")
        connection.execute("update interrupts set status = 'pending' where interrupt_id = ?", (request.id,))
        connection.execute("delete from events where kind = 'Nonsense'")
        connection.execute("commit")
    else:
        copy()
        connection.execute("rollback")
    connection.close()
