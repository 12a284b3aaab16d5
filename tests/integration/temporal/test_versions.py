"""Worker versioning: runs follow the build that is current, whichever began them, unless a person holds them back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.service import RPCError

from spectra_bot import NotRecordedError, RunResult, StoreError, TemporalOptions, WorkflowRunner
from tests.integration.temporal.build import shipping, worker
from tests.temporal_server import TemporalServer

TIMEOUT_S = 120


@pytest.fixture
async def caller(temporal: TemporalServer, task_queue: str) -> AsyncIterator[WorkflowRunner]:
    """Starts and answers, and takes no work."""
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    async with (
        asyncio.timeout(TIMEOUT_S),
        WorkflowRunner(workflows=[shipping(None)], temporal=options, recover=False) as runner,
    ):
        yield runner


async def make_current(temporal: TemporalServer, deployment: str, *build: str) -> None:
    """Have a build's workers get the work; Temporal knows them a moment after they began."""
    version = ("--build-id", *build) if build else ("--unversioned",)
    words = ("worker", "deployment", "set-current-version", "--deployment-name", deployment, *version, "--yes")
    while (await asyncio.to_thread(temporal.command, *words)).returncode:
        await asyncio.sleep(0.1)


async def gets_the_work(caller: WorkflowRunner, build: str) -> None:
    """Wait until steps go to a build: each part of Temporal hears of it in its own time."""
    while (await caller.run("shipping")).outputs["plan"] != build:
        await asyncio.sleep(0.1)


async def approved(caller: WorkflowRunner, asked: RunResult) -> dict[str, object]:
    """Which build executed what, of a run that goes on."""
    done = await caller.resume(asked.run_id, asked.pending[0].answer("approve"))
    return {step: done.outputs.get(step) for step in ("plan", "ship")}


async def test_parked_run_goes_on_in_the_build_that_is_current_when_it_is_answered(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner
) -> None:
    async with worker(temporal.address, task_queue, "A"):
        await make_current(temporal, task_queue, "A")
        asked = await caller.run("shipping")
    async with worker(temporal.address, task_queue, "B"):
        await make_current(temporal, task_queue, "B")

        executed = await approved(caller, asked)

    assert executed == {"plan": "A", "ship": "B"}


async def test_steps_go_to_the_current_build_while_another_one_works_beside_it(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner
) -> None:
    async with worker(temporal.address, task_queue, "A"), worker(temporal.address, task_queue, "B"):
        await make_current(temporal, task_queue, "A")
        await gets_the_work(caller, "A")
        asked = [await caller.run("shipping") for _ in range(6)]
        before = [await approved(caller, one) for one in asked[:3]]
        await make_current(temporal, task_queue, "B")
        await gets_the_work(caller, "B")
        rolled_out = [await approved(caller, one) for one in asked[3:5]]
        await make_current(temporal, task_queue, "A")
        await gets_the_work(caller, "A")
        rolled_back = await approved(caller, asked[5])

    assert before == [{"plan": "A", "ship": "A"}] * 3
    assert rolled_out == [{"plan": "A", "ship": "B"}] * 2
    assert rolled_back == {"plan": "A", "ship": "A"}


async def test_run_that_a_person_pins_waits_for_its_build(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 2.0)
    async with worker(temporal.address, task_queue, "A"):
        await make_current(temporal, task_queue, "A")
        asked = await caller.run("shipping")
        version = ("--versioning-override-deployment-name", task_queue, "--versioning-override-build-id", "A")
        pinned = temporal.command(
            *("workflow", "update-options", "--workflow-id", asked.run_id),
            *("--versioning-override-behavior", "pinned", *version),
        )
        assert pinned.returncode == 0, pinned.stderr
    async with worker(temporal.address, task_queue, "B"):
        await make_current(temporal, task_queue, "B")

        with pytest.raises(NotRecordedError):
            await caller.answer(asked.pending[0].id, asked.pending[0].answer("approve"))
        async with worker(temporal.address, task_queue, "A"):
            executed = await approved(caller, asked)

    assert executed == {"plan": "A", "ship": "A"}


async def test_runs_that_began_without_builds_go_over_to_the_first_and_back(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner
) -> None:
    async with worker(temporal.address, task_queue, "A"):
        async with worker(temporal.address, task_queue):
            asked = [await caller.run("shipping") for _ in range(2)]
            not_current_yet = await approved(caller, asked[0])
            await make_current(temporal, task_queue, "A")
        current = await approved(caller, asked[1])
        begun = await caller.run("shipping")
    async with worker(temporal.address, task_queue):
        await make_current(temporal, task_queue)
        given_up = await approved(caller, begun)

    assert not_current_yet == {"plan": None, "ship": None}
    assert current == {"plan": None, "ship": "A"}
    assert given_up == {"plan": "A", "ship": None}


async def test_what_the_old_build_could_not_deliver_the_new_one_does(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner
) -> None:
    async with worker(temporal.address, task_queue, "mute"):
        await make_current(temporal, task_queue, "mute")
        asked = await caller.run("shipping")
    async with worker(temporal.address, task_queue, "B"):
        await make_current(temporal, task_queue, "B")
        while not (delivered := await receipts(caller, asked.run_id)):
            await asyncio.sleep(0.05)

    assert delivered == [{"build": "B"}]


async def receipts(caller: WorkflowRunner, run_id: str) -> list[object]:
    with contextlib.suppress(StoreError):  # no worker may be there yet
        return [
            checkpoint.detail["receipt"]
            for checkpoint in await caller.history(run_id)
            if checkpoint.event == "InterruptDelivered"
        ]
    return []


async def test_current_build_goes_on_looking_whether_questions_stand(
    temporal: TemporalServer, task_queue: str, caller: WorkflowRunner
) -> None:
    async with worker(temporal.address, task_queue, "A"):
        await make_current(temporal, task_queue, "A")
        await until_looked(temporal, task_queue, "A")
    async with worker(temporal.address, task_queue, "B"):
        await make_current(temporal, task_queue, "B")
        await until_looked(temporal, task_queue, "B")


async def until_looked(temporal: TemporalServer, task_queue: str, build: str) -> None:
    """Return when a worker of that build looks."""
    client = await Client.connect(temporal.address)
    looking = client.get_workflow_handle(f"spectra-reconciler-{task_queue}")
    while True:
        with contextlib.suppress(RPCError):  # it has not begun
            said = (await looking.describe()).raw_description
            is_at_work = [PendingActivityState.PENDING_ACTIVITY_STATE_STARTED]
            runs_in = said.workflow_execution_info.versioning_info.deployment_version.build_id
            if runs_in == build and [one.state for one in said.pending_activities] == is_at_work:
                return
        await asyncio.sleep(0.05)
