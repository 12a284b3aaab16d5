"""Has one worker look whether what was delivered still stands: a workflow of one activity that never ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta

from pydantic import JsonValue
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from spectra_bot.clock import Clock
from spectra_bot.engine.reconciler import Reconciler, Standing
from spectra_bot.errors import StoreError
from spectra_bot.interrupts import ChecksDeliveries, IInterruptHandler, handler_name
from spectra_bot.runs import RunStatus
from spectra_bot.temporal.beats import beating
from spectra_bot.temporal.calls import RunCalls
from spectra_bot.temporal.listing import is_void
from spectra_bot.temporal.messages import FOR_EVER
from spectra_bot.temporal.visibility import PENDING, STATUS, wanted

SPECTRA_RECONCILER = "SpectraReconciler"
FIRST_RETRY_S = 1.0
MAX_RETRY_S = 60.0


@workflow.defn(name=SPECTRA_RECONCILER)
class SpectraReconciler:
    """Keeps one worker of a task queue looking; where that one dies or stops, another looks."""

    @workflow.run
    async def run(self, lease_s: float) -> None:
        """Look for ever.

        Args:
            lease_s: a worker that has been silent for so many seconds looks no more.
        """
        await workflow.execute_activity(
            "spectra.reconcile",
            start_to_close_timeout=FOR_EVER,
            heartbeat_timeout=timedelta(seconds=lease_s),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=FIRST_RETRY_S), maximum_interval=timedelta(seconds=MAX_RETRY_S)
            ),
        )


class ReconcilerActivity:
    """Looks, with the handlers of this process."""

    def __init__(self, handlers: Sequence[IInterruptHandler], *, questions: OpenQuestions, clock: Clock) -> None:
        checking = {handler_name(one): one for one in handlers if isinstance(one, ChecksDeliveries)}
        self.can_look = bool(checking)
        self._reconciler = Reconciler(handlers=checking, questions=questions, clock=clock)

    @activity.defn(name="spectra.reconcile")
    async def reconcile(self) -> None:
        """Look until told to stop; what fails is begun again by Temporal, here or elsewhere."""
        if not self.can_look:
            raise _elsewhere("no handler here can look whether its messages stand", MAX_RETRY_S)
        async with beating():
            try:
                await self._reconciler.run()
            except asyncio.CancelledError:
                if activity.is_worker_shutdown():
                    raise _elsewhere("the worker was told to stop", 0.001) from None
                raise


class OpenQuestions:
    """Finds the questions by visibility, and asks each run itself. A `Questions`."""

    def __init__(self, client: Client, calls: RunCalls, *, task_queue: str) -> None:
        self._client = client
        self._calls = calls
        self._task_queue = task_queue

    async def waiting(self) -> AsyncGenerator[tuple[str, str], None]:
        found: list[tuple[str, str]] = []
        for status in (RunStatus.INTERRUPTED, RunStatus.RUNNING):  # beside its questions a run may have steps at work
            query = wanted(self._task_queue, **{STATUS.name: status.value})
            try:
                async for run in self._client.list_workflows(query):
                    if not is_void(run):
                        found.extend((run.id, pending) for pending in run.typed_search_attributes.get(PENDING) or ())
            except RPCError as error:
                raise StoreError(f"Temporal could not list runs: {error.message}") from error
        for run_id, interrupt_id in sorted(found, key=lambda one: one[1]):  # their ids begin with the time
            yield run_id, interrupt_id

    async def standing(self, run_id: str, interrupt_id: str) -> Standing | None:
        standing: Standing | None = await self._calls.ask(run_id, "standing", interrupt_id, result_type=Standing | None)
        return standing

    async def lose(self, run_id: str, interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue]) -> bool:
        return await self._calls.tell(run_id, "lost", interrupt_id, handler, receipt)

    async def looked(self, run_id: str, interrupt_id: str, handler: str, *, is_there: bool) -> None:
        """Nothing is kept of it."""

    async def look_failed(self, run_id: str, interrupt_id: str, handler: str, error: Exception) -> None:
        """Nothing is kept of it; the log tells."""


async def ensure_reconciler(client: Client, *, task_queue: str, lease_s: float) -> None:
    """Have a task queue's open questions looked after from now on; what is there already goes on.

    Raises:
        StoreError: Temporal can't be reached, or refuses it.
    """
    try:
        await client.start_workflow(
            SPECTRA_RECONCILER,
            lease_s,
            id=f"spectra-reconciler-{task_queue}",
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except RPCError as error:
        raise StoreError(f"nobody could be set to look after open questions: {error.message}") from error


def _elsewhere(why: str, pause_s: float) -> ApplicationError:
    return ApplicationError(
        why,
        type="Elsewhere",
        next_retry_delay=timedelta(seconds=pause_s),
        category=ApplicationErrorCategory.BENIGN,
    )
