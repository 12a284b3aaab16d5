"""What was found to go wrong on Temporal, a test for each; those with a killed process are in test_faults.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.workflow import _Definition

from spectra_bot import (
    AlreadyAnsweredError,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    NotRecordedError,
    RunFinishedError,
    RunStatus,
    StepContext,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.engine import TemporalEngine
from spectra_bot.temporal.messages import Events, StepOutcome
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.visibility import wanted
from tests.temporal_server import TemporalServer

TIMEOUT_S = 60
SHORT_S = 0.5
"""How soon a caller gives up."""


def asking(*behind: str) -> Workflow:
    """A gate, and these steps behind it."""
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))

    async def step(ctx: StepContext) -> str:
        return ctx.step

    for name in behind:
        workflow.add(name, step)
    return workflow


async def events_of(server: TemporalServer, run_id: str) -> Counter[str]:
    """How many events of each kind stand in Temporal's own history of a run."""
    client = await Client.connect(server.address)
    history = await client.get_workflow_handle(run_id).fetch_history()
    return Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)


async def test_of_eight_answers_at_once_one_is_stored_and_seven_leave_no_trace(
    temporal: TemporalServer, task_queue: str
) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    people = [f"slack:T1/U{number}" for number in range(8)]

    async with (
        asyncio.timeout(TIMEOUT_S),
        WorkflowRunner(workflows=[asking("ship")], temporal=options) as bot,
        WorkflowRunner(temporal=options, recover=False) as elsewhere,
    ):
        asked = await bot.run("asking", run_id=task_queue)
        [request] = asked.pending
        given = [
            (bot, elsewhere)[number % 2].answer(request.id, request.answer("approve", responder=person))
            for number, person in enumerate(people)
        ]
        told = await asyncio.gather(*given, return_exceptions=True)
        await bot.wait(task_queue, over=True)
        events = await events_of(temporal, task_queue)

    [stored] = [one for one in told if isinstance(one, InterruptResponse)]
    refused = [one for one in told if isinstance(one, AlreadyAnsweredError)]
    assert [error.answered_by for error in refused] == [stored.responder] * 7
    assert events["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == events["WORKFLOW_EXECUTION_UPDATE_COMPLETED"] == 1


async def unanswered(options: TemporalOptions) -> InterruptRequest:
    """A question whose workers are gone."""
    async with WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        asked = await bot.run("asking", run_id=options.task_queue)
    [request] = asked.pending
    return request


async def give_up(
    caller: WorkflowRunner, request: InterruptRequest, answer: InterruptResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give an answer that nobody takes in time."""
    with monkeypatch.context() as patched:
        patched.setattr("spectra_bot.temporal.calls.CALL_S", SHORT_S)
        with pytest.raises(NotRecordedError):
            await caller.answer(request.id, answer)


async def test_answer_that_no_worker_took_is_nowhere_and_the_same_again_counts_once(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    request = await unanswered(options)
    answer = request.answer("approve", responder="slack:T1/U1")

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options, recover=False) as caller:
        await give_up(caller, request, answer, monkeypatch)
        before = await events_of(temporal, task_queue)
        async with WorkflowRunner(workflows=[asking()], temporal=options) as bot:
            first = await caller.answer(request.id, answer)
            again = await caller.answer(request.id, answer)
            await bot.wait(task_queue, over=True)
            after = await events_of(temporal, task_queue)

    assert before["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == 0
    assert again == first
    assert after["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == 1


async def test_others_answer_to_a_question_whose_first_giver_gave_up_is_told_the_winners_view(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server delivers what its client has given up, and the same call again may meet it there."""
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    request = await unanswered(options)
    answer = request.answer("approve", responder="slack:T1/U1")

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(temporal=options, recover=False) as caller:
        await give_up(caller, request, answer, monkeypatch)
        duplicates = [asyncio.create_task(caller.answer(request.id, answer)) for _ in range(3)]
        async with WorkflowRunner(workflows=[asking()], temporal=options) as bot:
            views = await asyncio.gather(*duplicates)
            with pytest.raises(AlreadyAnsweredError) as late:
                await caller.answer(request.id, request.answer("reject", responder="slack:T1/U2"))
            events = await events_of(temporal, task_queue)
            record = await bot.get_interrupt(request.id)

    assert all(view == record.response for view in views)
    assert late.value.answered_by == "slack:T1/U1"
    assert events["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == 1


async def test_late_answer_to_a_closed_run_is_told_who_was_first_and_the_first_again_its_outcome(
    temporal: TemporalServer, task_queue: str
) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        asked = await bot.run("asking", run_id=task_queue)
        [request] = asked.pending
        answer = request.answer("approve", responder="slack:T1/U1")
        first = await bot.answer(request.id, answer)
        await until_closed(temporal, task_queue)
        again = await bot.answer(request.id, answer)
        with pytest.raises(AlreadyAnsweredError) as late:
            await bot.answer(request.id, request.answer("reject", responder="slack:T1/U2"))

    assert again == first
    assert (late.value.option, late.value.answered_by) == ("approve", "slack:T1/U1")


async def test_start_of_a_run_that_is_over_and_closed_starts_nothing(temporal: TemporalServer, task_queue: str) -> None:
    done: list[str] = []
    workflow = Workflow("quick")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        done.append(ctx.run_id)

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        await bot.run("quick", run_id=task_queue)
        await until_closed(temporal, task_queue)
        again = await bot.run("quick", run_id=task_queue)

    assert again.status is RunStatus.COMPLETED
    assert done == [task_queue]


@pytest.mark.parametrize(("errors", "retries"), [(1, 1), (2, 2)], ids=["completed", "failed-again"])
async def test_retry_that_comes_when_another_is_over_begins_nothing_from_what_it_saw(
    temporal: TemporalServer, task_queue: str, errors: int, retries: int
) -> None:
    """Between its look at the failed run and its start of another execution."""
    done: list[str] = []
    workflow = Workflow("failing")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        if done.count("more") < errors:
            await ctx.once(f"more {len(ctx.stored)}", lambda: done.append("more"))
            raise OSError("down")

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        engine = bot._engine  # the moment is between two of its calls
        assert isinstance(engine, TemporalEngine)
        changes, begin = engine._changes, engine._changes._begin

        async def late(events: Events, *, closed: str | None = None) -> int:
            changes._begin = begin
            await bot.retry(task_queue)
            with contextlib.suppress(WorkflowFailureError):
                await until_closed(temporal, task_queue)
            return await begin(events, closed=closed)

        await bot.run("failing", run_id=task_queue)
        with pytest.raises(WorkflowFailureError):
            await until_closed(temporal, task_queue)
        changes._begin = late
        with contextlib.nullcontext() if retries == 2 else pytest.raises(RunFinishedError, match="completed"):
            await bot.retry(task_queue)
        events = [checkpoint.event for checkpoint in await bot.history(task_queue)]

    assert done == ["more"] * errors
    assert (events.count("RunRetried"), events[-1]) == (retries, "StepCompleted")


async def test_run_is_found_by_its_workflow_starter_status_and_question(
    temporal: TemporalServer, task_queue: str
) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    client = await Client.connect(temporal.address)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking()], temporal=options) as bot:
        asked = await bot.run("asking", requested_by="slack:T1/U1")
        found = wanted(
            task_queue,
            SpectraWorkflow="asking",
            SpectraStarter="slack:T1/U1",
            SpectraStatus="interrupted",
            SpectraPending=asked.pending[0].id,
        )
        while not (await client.count_workflows(found)).count:
            await asyncio.sleep(0.05)


async def until_closed(server: TemporalServer, run_id: str) -> None:
    client = await Client.connect(server.address)
    await client.get_workflow_handle(run_id).result()


async def test_run_keeps_its_graph_where_another_was_loaded_while_it_was_parked(
    temporal: TemporalServer, task_queue: str
) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with WorkflowRunner(workflows=[asking("ship")], temporal=options) as bot:
        asked = await bot.run("asking", run_id=task_queue)

    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[asking("sign", "ship")], temporal=options) as bot:
        kept = await bot.resume(task_queue, asked.pending[0].answer("approve"))
        renewed = await bot.run("asking")
        renewed = await bot.resume(renewed.run_id, renewed.pending[0].answer("approve"))
        events = await events_of(temporal, task_queue)

    assert kept.status is RunStatus.COMPLETED
    assert [step for step in kept.outputs if step != "gate"] == ["ship"]
    assert [step for step in renewed.outputs if step != "gate"] == ["sign", "ship"]
    assert events["WORKFLOW_TASK_FAILED"] == 0


def test_workflow_class_has_no_versioning_behavior() -> None:
    """With one, each task of a worker without a version fails without a word."""
    definition = _Definition.must_from_class(SpectraRun)

    assert not definition.versioning_behavior


def test_lists_ask_by_equality_alone() -> None:
    query = wanted("it's mine", SpectraStatus="interrupted", SpectraWorkflow=None)

    assert query == "WorkflowType = 'SpectraRun' AND TaskQueue = 'it\\'s mine' AND SpectraStatus = 'interrupted'"


async def test_execution_that_was_taken_for_dead_does_not_stop_the_one_in_its_place(
    temporal: TemporalServer, task_queue: str
) -> None:
    """Its process stood still in an effect, goes on too late, and tells that its code has ended."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    workflow = Workflow("working")
    executions: list[str] = []

    @workflow.step
    async def work(ctx: StepContext) -> None:
        executions.append(ctx.step)
        begun.set()
        await may_end.wait()

    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with asyncio.timeout(TIMEOUT_S), WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        await bot.start("working", run_id=task_queue)
        await begun.wait()
        client = await Client.connect(temporal.address, data_converter=data_converter(None))
        dead = StepOutcome(step="work", visit=1, activity="run-0")
        await client.get_workflow_handle(task_queue).signal("left", dead)
        await bot.get(task_queue)
        may_end.set()
        done = await bot.wait(task_queue, over=True)

    assert done.status is RunStatus.COMPLETED
    assert executions == ["work"]
