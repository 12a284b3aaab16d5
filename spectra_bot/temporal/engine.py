"""The engine on Temporal: every coroutine of the `Runner` protocol, in front of any number of workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from temporalio.client import Client

from spectra_bot.clock import Clock
from spectra_bot.engine.proposals import refuse_unstorable, refuse_unstorable_names, the_one_pending
from spectra_bot.engine.starting import run_started
from spectra_bot.engine.time_limit import CLEAN_UP_S
from spectra_bot.errors import (
    RunExistsError,
    RunNotFoundError,
    StoreError,
    UnknownInterruptError,
    UnknownWorkflowError,
)
from spectra_bot.interrupts import IInterruptHandler, InterruptRequest, InterruptResponse
from spectra_bot.json_values import digest, encode
from spectra_bot.machine import events as e
from spectra_bot.runner import Inputs
from spectra_bot.runs import (
    Checkpoint,
    InterruptRecord,
    RunDetails,
    RunResult,
    RunStatus,
    RunSummary,
    RunUpdate,
)
from spectra_bot.temporal.beginning import Beginning, IdTakenError
from spectra_bot.temporal.calls import RunCalls
from spectra_bot.temporal.changes import Changes
from spectra_bot.temporal.connection import connect
from spectra_bot.temporal.crew import look_at
from spectra_bot.temporal.limits import MAX_PAYLOAD_BYTES
from spectra_bot.temporal.listing import Listing
from spectra_bot.temporal.lookup import Lookup
from spectra_bot.temporal.messages import Events, entry_of
from spectra_bot.temporal.options import TemporalOptions
from spectra_bot.temporal.place import Place
from spectra_bot.temporal.step_activities import run_of
from spectra_bot.temporal.visibility import START_MEMO, StartMemo
from spectra_bot.temporal.waiting import Waiting, followed
from spectra_bot.temporal.worker import working
from spectra_bot.workflow import Workflow

logger = logging.getLogger(__name__)


class TemporalEngine:
    """Has runs carried out by Temporal; an async context manager.

    Args:
        works: this process takes steps and deliveries too; else it only starts, steers and looks.
        lease_s: a worker that has been silent for so many seconds has lost its steps.
    """

    def __init__(
        self,
        *,
        workflows: Mapping[str, Workflow],
        options: TemporalOptions,
        handlers: Sequence[IInterruptHandler],
        clock: Clock,
        works: bool,
        lease_s: float,
        max_payload_bytes: int,
        report: Callable[[RunUpdate], None],
    ) -> None:
        self.workflows = workflows
        self._options = options
        self._handlers = handlers
        self._clock = clock
        self._works = works
        self._lease_s = lease_s
        self._has_place = options.payloads is not None
        self._limit = max_payload_bytes if self._has_place else min(max_payload_bytes, MAX_PAYLOAD_BYTES)
        self._report = report
        self._stack = AsyncExitStack()
        self._client: Client
        self._calls: RunCalls
        self._lookup: Lookup
        self._waiting: Waiting
        self._listing: Listing
        self._beginning: Beginning
        self._changes: Changes

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        place = None
        if self._options.payloads is not None:
            place = await stack.enter_async_context(await Place.open(self._options.payloads))
        client = self._client = await connect(self._options, place)
        self._calls = RunCalls(client)
        self._lookup = Lookup(self._calls)
        self._waiting = Waiting(self._calls)
        self._listing = Listing(
            client,
            task_queue=self._options.task_queue,
            clock=self._clock,
            ask=self._lookup.listed,
            questions=self._lookup.questions,
        )
        self._beginning = Beginning(client, self._options, lease_s=self._lease_s)
        self._changes = Changes(
            self._calls, self._listing, self._clock, self._beginning.begin, has_place=self._has_place
        )
        if self._works:
            await stack.enter_async_context(
                working(
                    client,
                    calls=self._calls,
                    options=self._options,
                    workflows=self.workflows,
                    handlers=self._handlers,
                    clock=self._clock,
                    lease_s=self._lease_s,
                    max_payload_bytes=self._limit,
                    has_place=self._has_place,
                    report=self._report,
                    ended=self._waiting.activity_ended,
                    answer=self.answer,
                    look=self._lookup.interrupt,
                )
            )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop working.

        Raises:
            StoreError: our worker failed for good, which cancelled whoever opened this.
        """
        try:
            await self._stack.__aexit__(kind, error, trace)
        except RuntimeError as failed:  # as the SDK ends a worker
            why = failed.__cause__ or failed
            raise StoreError(
                f"Temporal at {self._options.address} gives this worker no work any more: {why}"
            ) from failed

    async def why_idle(self) -> str | None:
        """See `WorkflowRunner.why_idle`."""
        crew = await look_at(self._client, self._options, self._clock)
        return crew.why_idle(self._options) if crew is not None else None

    async def why_left_out(self) -> str | None:
        """See `WorkflowRunner.why_left_out`."""
        crew = await look_at(self._client, self._options, self._clock)
        return crew.why_left_out(self._options) if crew is not None else None

    # Starting and waiting.

    async def start(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> str:
        found = self.workflows.get(workflow)
        if found is None:
            raise UnknownWorkflowError(workflow, list(self.workflows))
        event = run_started(
            found,
            found.shape(),
            inputs,
            at=self._clock.now(),
            requested_by=requested_by,
            channel=channel,
            run_id=run_id,
            limit=self._limit,
        )
        try:
            seq = await self._beginning.begin(Events(shape=event.shape, entries=[entry_of(event)]))
        except IdTakenError:
            await self._refuse_another(event)
        else:
            self._listing.note(event.run_id, seq)
            extra = {"run_id": event.run_id, "workflow": workflow, "by": event.requested_by}
            logger.info("run started", extra=extra)
        return event.run_id

    async def _refuse_another(self, event: e.RunStarted) -> None:
        """Stop at a start whose id is taken by a run of another workflow or with other inputs."""
        there = await self._calls.memo(event.run_id, START_MEMO, StartMemo)
        if there != StartMemo(workflow=event.workflow, inputs=digest(event.inputs)):
            raise RunExistsError(event.run_id, there.workflow if there else "another program")

    async def run(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> RunResult:
        started = await self.start(workflow, inputs, requested_by=requested_by, channel=channel, run_id=run_id)
        return await self.wait(started)

    async def wait(self, run_id: str, *, over: bool = False) -> RunResult:
        result, seq = await self._waiting.until_rest(run_id, over=over)
        self._listing.note(run_id, seq)
        return result

    # Deciding and steering.

    async def answer(self, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        refuse_unstorable(response, self._limit)
        run_id = run_of(interrupt_id)
        if not run_id:
            raise UnknownInterruptError(interrupt_id)
        try:
            stored = await self._changes.answer(run_id, interrupt_id, response.model_copy(update={"request": None}))
        except RunNotFoundError as error:
            raise UnknownInterruptError(interrupt_id) from error
        logger.info(
            "interrupt answered",
            extra={
                "run_id": run_id,
                "interrupt_id": interrupt_id,
                "option": stored.option,
                "by": stored.responder,
            },
        )
        return stored

    async def resume(self, run_id: str, response: InterruptResponse) -> RunResult:
        refuse_unstorable(response, self._limit)
        interrupt_id = response.interrupt_id
        if interrupt_id is None:
            interrupt_id = the_one_pending(await self._lookup.result(run_id))
        elif run_of(interrupt_id) != run_id:
            await self._lookup.result(run_id)
            raise UnknownInterruptError(interrupt_id)
        await self.answer(interrupt_id, response)
        with followed(run_id):
            return await self.wait(run_id)

    async def cancel(self, run_id: str, *, by: str | None = None, reason: str = "") -> RunResult:
        encode(reason, "reason", self._limit)
        refuse_unstorable_names(self._limit, by=by)
        await self._changes.cancel(run_id, by, reason)
        logger.info("run cancelled", extra={"run_id": run_id, "by": by})
        with followed(run_id):
            with contextlib.suppress(TimeoutError):  # a step that does not let itself be cancelled
                async with asyncio.timeout(CLEAN_UP_S):
                    return await self.wait(run_id)
            return await self._lookup.result(run_id)

    async def retry(self, run_id: str, from_step: str | None = None, *, by: str | None = None) -> RunResult:
        refuse_unstorable_names(self._limit, by=by)
        await self._changes.retry(run_id, from_step, by)
        logger.info("run retried", extra={"run_id": run_id, "from_step": from_step, "by": by})
        with followed(run_id):
            return await self.wait(run_id)

    # Looking.

    async def get(self, run_id: str) -> RunDetails:
        return await self._lookup.details(run_id)

    async def get_interrupt(self, interrupt_id: str) -> InterruptRecord:
        return await self._lookup.interrupt(interrupt_id)

    async def list_runs(
        self, *, status: RunStatus | None = None, workflow: str | None = None, limit: int = 50
    ) -> Sequence[RunSummary]:
        return await self._listing.runs(status=status, workflow=workflow, limit=limit)

    async def list_pending(self, *, run_id: str | None = None, limit: int = 100) -> Sequence[InterruptRequest]:
        if run_id is None:
            return await self._listing.pending(limit)
        with contextlib.suppress(RunNotFoundError):
            return (await self._lookup.result(run_id)).pending[:limit]
        return ()

    async def history(self, run_id: str) -> Sequence[Checkpoint]:
        return await self._lookup.history(run_id)
