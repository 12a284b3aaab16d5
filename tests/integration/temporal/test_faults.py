"""A worker that is killed or silent, and a server that is gone for a while: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from spectra_bot import (
    NotFollowedError,
    NotRecordedError,
    RunResult,
    RunStatus,
    StoreError,
    TemporalOptions,
    WorkflowRunner,
)
from spectra_bot.machine import events as e
from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.messages import entry_of
from tests.integration.asking import asking
from tests.integration.processes import Process
from tests.integration.temporal.bot import MAY_GO_ON, Post, runner
from tests.temporal_server import TemporalServer, a_temporal

BOT = "tests.integration.temporal.bot"
LEASE_S = 2.0
LONG_LEASE_S = 60.0
"""So that what a killed worker had in hand stays its own."""
TIMEOUT_S = 60


def done(journal: Path) -> list[str]:
    return [line.split()[0] for line in journal.read_text().splitlines()] if journal.exists() else []


async def test_step_of_a_killed_worker_runs_again_elsewhere_and_repeats_no_effect(
    temporal: TemporalServer, task_queue: str, tmp_path: Path
) -> None:
    place = (temporal.address, task_queue, LEASE_S, tmp_path / "journal")

    async with Process.started(BOT, *map(str, place)) as bot:
        assert await bot.read() == "open"
        bot.write("crashing killed")
        assert await bot.read() == "at work"
        await bot.kill()
    async with asyncio.timeout(TIMEOUT_S), runner(*place) as heir:
        result = await heir.wait("killed", over=True)
        history = [checkpoint.event for checkpoint in await heir.history("killed")]

    assert result.outputs == {"work": "ship"}
    assert history == ["RunStarted", "OnceStored", "RunRecovered", "StepCompleted"]
    assert done(tmp_path / "journal") == ["work", "ship", "work"]


async def test_worker_that_was_silent_for_too_long_begins_no_effect(
    temporal: TemporalServer, task_queue: str, tmp_path: Path
) -> None:
    place = (temporal.address, task_queue, LEASE_S, tmp_path / "journal")

    async with Process.started(BOT, *map(str, place)) as bot:
        assert await bot.read() == "open"
        bot.write("blocking silent")
        assert await bot.read() == "blocked"
        async with asyncio.timeout(TIMEOUT_S), runner(*place) as heir:
            result = await heir.wait("silent", over=True)
            bot.write("go on")
            said = await bot.read()

    assert result.outputs == {"block": "effect"}
    assert said in ("LeaseLostError", "CancelledError", "SpectraError")
    assert done(tmp_path / "journal").count("effect") == 1


async def test_effect_that_a_silent_worker_ended_later_is_not_done_again(
    temporal: TemporalServer, task_queue: str, tmp_path: Path
) -> None:
    place = (temporal.address, task_queue, LEASE_S, tmp_path / "journal")
    MAY_GO_ON.clear()

    async with asyncio.timeout(TIMEOUT_S), Process.started(BOT, *map(str, place)) as bot:
        assert await bot.read() == "open"
        bot.write("taken-over late")
        assert await bot.read() == "at work"
        bot.process.send_signal(signal.SIGSTOP)
        async with runner(*place) as heir:
            while "taken" not in done(tmp_path / "journal"):
                await asyncio.sleep(0.05)
            bot.process.send_signal(signal.SIGCONT)
            bot.write("end it")
            while "OnceStored" not in [checkpoint.event for checkpoint in await heir.history("late")]:
                await asyncio.sleep(0.05)
            MAY_GO_ON.set()
            result = await heir.wait("late", over=True)

    assert result.outputs == {"work_long": "effect of the first"}
    assert done(tmp_path / "journal").count("effect") == 1


async def test_question_that_was_posted_when_its_time_was_over_is_settled(
    temporal: TemporalServer, task_queue: str, tmp_path: Path
) -> None:
    """One turn tells both: it waited for a worker."""
    place = (temporal.address, task_queue, LONG_LEASE_S, tmp_path / "journal")
    client = await Client.connect(temporal.address, data_converter=data_converter(None))
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S):
        async with Process.started(BOT, *map(str, place), "post") as bot:
            assert await bot.read() == "open"
            bot.write(f"timed {task_queue}")
            asked = [await bot.read(), await bot.read()]
            await bot.kill()
        run = client.get_workflow_handle(task_queue)
        while not any(event.HasField("timer_fired_event_attributes") for event in (await run.fetch_history()).events):
            await asyncio.sleep(0.05)
        under_way = (await run.describe()).raw_description.pending_activities
        for activity, one in zip(under_way, asked, strict=True):
            posted = e.InterruptDelivered(at=datetime.now(UTC), interrupt_id=one, handler="post", receipt={"id": one})
            ended = client.get_async_activity_handle(
                workflow_id=task_queue, run_id=None, activity_id=activity.activity_id
            )
            await ended.complete([entry_of(posted)])
        async with runner(*place, [Post()]) as heir, WorkflowRunner(temporal=options, recover=False) as caller:
            [aside] = [request for request in (await caller.get(task_queue)).pending if request.step == "aside"]
            await caller.answer(aside.id, aside.answer("approve"))
            await heir.wait(task_queue, over=True)

    assert sorted(line for line in done(tmp_path / "journal") if line.startswith("settled")) == sorted(
        f"settled-{one}" for one in asked
    )


async def test_runs_go_on_when_the_server_comes_back(tmp_path: Path) -> None:
    with a_temporal(tmp_path / "server") as server:
        async with asyncio.timeout(TIMEOUT_S), runner(server.address, "here", LEASE_S, tmp_path / "journal") as bot:
            asked = [await bot.run("asking", run_id=f"run-{number}") for number in range(3)]
            waiting = [asyncio.create_task(bot.wait(result.run_id, over=True)) for result in asked]
            server.stop()
            refused, unsure = await asyncio.gather(
                bot.answer(asked[0].pending[0].id, asked[0].pending[0].answer("approve")),
                bot.start("asking", run_id="unsure"),
                return_exceptions=True,
            )
            server.start()
            for result in asked:
                await given(bot, result.pending[0].id)
            ended = await asyncio.gather(*waiting)

    assert isinstance(refused, StoreError)
    assert "it may be there all the same" in str(unsure)
    assert [result.status for result in ended] == [RunStatus.COMPLETED] * 3
    assert done(tmp_path / "journal") == ["ship"] * 3


async def given(bot: WorkflowRunner, interrupt_id: str) -> None:
    """Give an answer until it is recorded, as a person does who is told that it is not."""
    while True:
        try:
            request = (await bot.get_interrupt(interrupt_id)).request
            await bot.answer(interrupt_id, request.answer("approve"))
            return
        except StoreError:
            await asyncio.sleep(0.1)


async def test_answer_that_no_worker_took_is_not_said_to_be_recorded_and_counts_once_later(
    temporal: TemporalServer, task_queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 2.0)
    place = (temporal.address, task_queue, LEASE_S, tmp_path / "journal")
    async with runner(*place) as bot:
        asked = await bot.run("asking", run_id=task_queue)
    [request] = asked.pending
    answer = request.answer("approve", responder="slack:T1/U1")
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with WorkflowRunner(temporal=options, recover=False) as caller:
        with pytest.raises(NotRecordedError, match="do the same again"):
            await caller.answer(request.id, answer)
        with pytest.raises(TimeoutError):  # and whoever stops waiting for it does stop
            async with asyncio.timeout(0.1):
                await caller.answer(request.id, answer)
        async with asyncio.timeout(TIMEOUT_S), runner(*place) as bot:
            stored = await caller.answer(request.id, answer)
            result = await bot.wait(asked.run_id, over=True)
            history = [checkpoint.event for checkpoint in await bot.history(asked.run_id)]

    assert stored.responder == "slack:T1/U1"
    assert result.status is RunStatus.COMPLETED
    assert history.count("InterruptAnswered") == 1
    assert done(tmp_path / "journal") == ["ship"]


async def test_step_whose_workflow_a_worker_lacks_waits_for_another_and_the_log_says_so(
    options: TemporalOptions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.step_activities.NOT_LOADED_S", 0.1)
    knowing = WorkflowRunner(workflows=[asking()], temporal=options, recover=False)

    async with asyncio.timeout(TIMEOUT_S), knowing as caller, WorkflowRunner(temporal=options):
        for _ in range(2):
            await caller.start("asking")
        while not (said := [one for one in caplog.records if "is not loaded here" in one.message]):
            await asyncio.sleep(0.01)
        [run, *_] = await caller.list_runs()
        while (step := (await caller.get(run.run_id)).steps[0]).put_off is None:
            await asyncio.sleep(0.01)
        async with WorkflowRunner(workflows=[asking()], temporal=options):
            asked = [await caller.wait(run.run_id) for run in await caller.list_runs()]

    assert [run.status for run in asked] == [RunStatus.INTERRUPTED] * 2
    assert [record.__dict__["workflow"] for record in said] == ["asking"]
    assert step.phase == "running"
    assert step.put_off == "the worker that took it has not loaded workflow asking; start all with the same ones"


@pytest.mark.parametrize(
    ("option", "change", "stored"),
    [
        (None, lambda bot, asked: bot.resume(asked.run_id, asked.pending[0].answer("approve")), "InterruptAnswered"),
        (None, lambda bot, asked: bot.cancel(asked.run_id), "RunCancelled"),
        ("reject", lambda bot, asked: bot.retry(asked.run_id), "RunRetried"),
    ],
    ids=["resume", "cancel", "retry"],
)
async def test_change_that_is_stored_is_told_so_where_nobody_says_how_its_run_stands(
    options: TemporalOptions,
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    change: Callable[[WorkflowRunner, RunResult], Awaitable[RunResult]],
    stored: str,
) -> None:
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        asked = await bot.run("asking")
        if option is not None:
            await bot.resume(asked.run_id, asked.pending[0].answer(option))
        with monkeypatch.context() as patched:
            patched.setattr("spectra_bot.temporal.waiting.Waiting.until_rest", nobody)
            with pytest.raises(NotFollowedError, match=r"that is stored, but run .* could not be reached"):
                await change(bot, asked)
        history = [checkpoint.event for checkpoint in await bot.history(asked.run_id)]

    assert stored in history


async def nobody(_waiting: object, run_id: str, *, over: bool) -> None:
    raise StoreError(f"run {run_id} could not be reached")
