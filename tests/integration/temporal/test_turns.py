"""What a run is told, and when: the same in each replay, whoever looks at it meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest, ResetStickyTaskQueueRequest
from temporalio.client import Client, WorkflowHandle

from spectra_bot import RunNotFoundError, RunResult, RunStatus, TemporalOptions, WorkflowRunner
from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.turns import TURN_IS_DUE
from tests.integration.asking import asking
from tests.integration.processes import Process
from tests.integration.temporal.bot import TIMED_S, runner
from tests.integration.temporal.test_faults import BOT, LEASE_S, LONG_LEASE_S, TIMEOUT_S, done
from tests.replay.replaying import replay
from tests.temporal_server import TemporalServer


async def test_worker_that_had_a_turn_answers_behind_it_at_once(options: TemporalOptions) -> None:
    client = await Client.connect(options.address, data_converter=data_converter(None))

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        run = client.get_workflow_handle((await bot.run("asking")).run_id)
        await run.signal(SpectraRun.had_turn, args=["none", "nobody"])
        while not (await run.fetch_history()).events[-1].HasField("workflow_task_completed_event_attributes"):
            await asyncio.sleep(0.01)
        rest = await run.query(SpectraRun.rest)

    assert rest.status is RunStatus.INTERRUPTED


async def test_deadline_and_answer_while_a_killed_worker_holds_the_run_are_the_same_in_each_replay(
    temporal: TemporalServer, task_queue: str, tmp_path: Path
) -> None:
    place = (temporal.address, task_queue, LEASE_S, tmp_path / "journal")
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options, recover=False) as caller:
        asked = await asked_by_a_killed_worker(caller, place)
        [aside] = [request for request in asked.pending if request.step == "aside"]
        async with runner(*place):
            while len((await caller.get(task_queue)).pending) == 2:  # each look is a query
                await asyncio.sleep(0.05)
            await caller.answer(aside.id, aside.answer("approve"))
            ended = await caller.wait(task_queue, over=True)
        async with runner(*place) as with_nothing_in_memory:
            history = [checkpoint.event for checkpoint in await with_nothing_in_memory.history(task_queue)]

    assert asked.status is RunStatus.INTERRUPTED
    assert ended.status is RunStatus.COMPLETED
    assert (history.count("InterruptExpired"), history.count("InterruptAnswered")) == (1, 1)
    assert done(tmp_path / "journal") == ["gone-on"]


async def test_run_that_was_looked_at_while_a_dead_worker_had_its_turn_replays(
    temporal: TemporalServer, task_queue: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = (temporal.address, task_queue, LONG_LEASE_S, tmp_path / "journal")
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    client = await Client.connect(temporal.address, data_converter=data_converter(None))
    run = client.get_workflow_handle(task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options, recover=False) as caller:
        asked = await asked_by_a_killed_worker(caller, place)
        looks = []
        for _ in range(5):  # they wait for the dead worker first, 2 s each, and then for any
            looks.append(asyncio.create_task(run.query(SpectraRun.rest)))
            await asyncio.sleep(TIMED_S / 10)
        await forget_worker_of(run, client)
        await take_turn(client, task_queue)
        async with runner(*place):
            [first, *_], under_way = await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
            [aside] = [request for request in asked.pending if request.step == "aside"]
            await caller.answer(aside.id, aside.answer("approve"))
            ended = await caller.wait(task_queue, over=True)
        for look in under_way:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    history = await run.fetch_history()
    assert any(event.HasField("workflow_task_timed_out_event_attributes") for event in history.events)
    assert str(first.exception()) == TURN_IS_DUE
    assert ended.status is RunStatus.COMPLETED
    assert TURN_IS_DUE not in caplog.text  # it is no news: whoever asked asks again
    await replay(history)


async def asked_by_a_killed_worker(caller: WorkflowRunner, place: tuple[str, str, float, Path]) -> RunResult:
    """A run named as its task queue, which asks twice; one question's time is over in `TIMED_S`."""
    _, run_id, _, _ = place
    async with Process.started(BOT, *map(str, place)) as bot:
        assert await bot.read() == "open"
        bot.write(f"timed {run_id}")
        await started(caller, run_id)
        asked = await caller.wait(run_id)
        await bot.kill()
    return asked


async def started(caller: WorkflowRunner, run_id: str) -> None:
    """Return when a run is there."""
    while True:
        try:
            await caller.get(run_id)
        except RunNotFoundError:
            await asyncio.sleep(0.05)
        else:
            return


async def forget_worker_of(run: WorkflowHandle[object, object], client: Client) -> None:
    """Have the run's next turn go to any worker."""
    await client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run.id))
    )


async def take_turn(client: Client, task_queue: str) -> None:
    """Take a run's turn as a worker does that dies with it in hand."""
    mine = PollWorkflowTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=task_queue), identity="dies with it"
    )
    while (await client.workflow_service.poll_workflow_task_queue(mine)).HasField("query"):
        pass
