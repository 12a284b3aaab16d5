"""Who takes work from a task queue, as Temporal tells it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from spectra_bot import StoreError, TemporalOptions, WorkflowRunner
from spectra_bot.temporal.crew import RECENT
from spectra_bot.testing import ManualClock
from tests.integration.temporal.build import shipping
from tests.integration.temporal.test_versions import make_current
from tests.temporal_server import TemporalServer

TIMEOUT_S = 60


def runner(temporal: TemporalServer, task_queue: str, build_id: str | None = None, *, works: bool) -> WorkflowRunner:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue, build_id=build_id, deployment=task_queue)
    return WorkflowRunner(workflows=[shipping(build_id)], temporal=options, recover=works)


async def until_told(caller: WorkflowRunner, words: str | None) -> None:
    """Return when a caller is told so of the workers, which Temporal knows a moment after they began."""
    while (told := await caller.why_idle()) != words and (told is None or words is None or words not in told):
        await asyncio.sleep(0.05)


async def test_caller_is_told_that_nobody_works_until_somebody_does(temporal: TemporalServer, task_queue: str) -> None:
    async with asyncio.timeout(TIMEOUT_S), runner(temporal, task_queue, works=False) as caller:
        nobody = await caller.why_idle()
        async with runner(temporal, task_queue, works=True):
            await until_told(caller, None)

    assert nobody == f"no worker takes work from task queue {task_queue}: start `spectra-bot worker`"


async def test_worker_of_a_build_that_is_not_current_is_told_so_until_it_is(
    temporal: TemporalServer, task_queue: str
) -> None:
    async with (
        asyncio.timeout(TIMEOUT_S),
        runner(temporal, task_queue, works=False) as caller,
        runner(temporal, task_queue, "v1", works=True) as worker,
    ):
        left_out = await worker.why_left_out()
        await until_told(caller, f"there are only workers of build v1 of {task_queue}")
        await make_current(temporal, task_queue, "v1")
        await until_told(caller, None)
        chosen = await worker.why_left_out()
        left_out_now = await caller.why_left_out()

    assert left_out is not None
    assert left_out.endswith(f"--deployment-name {task_queue} --build-id v1")
    assert chosen is None
    assert left_out_now is not None
    assert left_out_now.endswith(f"--deployment-name {task_queue} --unversioned")


async def test_worker_that_asked_for_nothing_lately_counts_no_more(temporal: TemporalServer, task_queue: str) -> None:
    options = TemporalOptions(address=temporal.address, task_queue=task_queue)
    later_on = ManualClock(datetime.now(UTC) + 2 * RECENT)
    async with (
        asyncio.timeout(TIMEOUT_S),
        runner(temporal, task_queue, works=True),
        runner(temporal, task_queue, works=False) as caller,
        WorkflowRunner(temporal=options, recover=False, clock=later_on) as later,
    ):
        await until_told(caller, None)

        assert await later.why_idle() is not None


async def test_worker_that_failed_for_good_ends_its_process_with_the_reason(
    temporal: TemporalServer, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_worker: object) -> None:
        raise RuntimeError("Workflow worker failed") from RuntimeError("Poll failure: namespace is gone")

    monkeypatch.setattr("temporalio.worker._workflow._WorkflowWorker.run", fail)  # a server takes a minute to do so

    with pytest.raises(StoreError, match="gives this worker no work any more: Poll failure: namespace is gone"):
        async with asyncio.timeout(TIMEOUT_S), runner(temporal, task_queue, works=True):
            await asyncio.Event().wait()
