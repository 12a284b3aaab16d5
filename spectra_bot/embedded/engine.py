"""The embedded engine: asyncio and a store. Every coroutine of the `Runner` protocol, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from spectra_bot.clock import Clock
from spectra_bot.embedded.deadlines import Deadlines
from spectra_bot.embedded.holdings import Holdings, Stored
from spectra_bot.embedded.journal import change, new_run
from spectra_bot.embedded.outbox import HandlerOutbox
from spectra_bot.embedded.owned_run import OwnedRun
from spectra_bot.embedded.ownership import Pulse, new_owner
from spectra_bot.embedded.proposing import Proposing
from spectra_bot.embedded.stored_questions import StoredQuestions
from spectra_bot.embedded.upkeep import POLL_S, Upkeep
from spectra_bot.engine.asking import HANDLERS_S
from spectra_bot.engine.proposals import (
    propose_answer,
    propose_cancel,
    propose_retry,
    refuse_unstorable,
    refuse_unstorable_names,
    the_one_pending,
)
from spectra_bot.engine.reconciler import Reconciler
from spectra_bot.engine.starting import run_started
from spectra_bot.engine.time_limit import CLEAN_UP_S
from spectra_bot.engine.views import checkpoint_of, details_of, interrupt_record, result_of
from spectra_bot.errors import (
    RunExistsError,
    RunNotFoundError,
    UnknownInterruptError,
    UnknownWorkflowError,
)
from spectra_bot.interrupts import IInterruptHandler, InterruptRequest, InterruptResponse
from spectra_bot.json_values import encode
from spectra_bot.machine import RunState, start
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
from spectra_bot.store import Store
from spectra_bot.workflow import Workflow

logger = logging.getLogger(__name__)


class EmbeddedEngine:
    """Brings what happens to runs into the store, and has it carried out; an async context manager.

    Not entered, it only looks.

    Args:
        store: an open store.
        recover: carry on all runs without a live owner; else only those that are started or steered here.
    """

    def __init__(
        self,
        *,
        workflows: Mapping[str, Workflow],
        store: Store,
        handlers: Sequence[IInterruptHandler],
        clock: Clock,
        recover: bool,
        lease_s: float,
        max_payload_bytes: int,
        report: Callable[[RunUpdate], None] | None,
    ) -> None:
        self.workflows = workflows
        self._store = store
        self._clock = clock
        self._owner = new_owner(lease_s)
        pulse = Pulse(lease_s)
        self._max_payload_bytes = max_payload_bytes
        self._starting: set[asyncio.Task[str]] = set()
        outbox = HandlerOutbox(handlers, store=store, clock=clock, max_payload_bytes=max_payload_bytes)
        self._holdings = Holdings(
            workflows=workflows,
            store=store,
            clock=clock,
            owner=self._owner,
            pulse=pulse,
            outbox=outbox,
            max_payload_bytes=max_payload_bytes,
            report=report,
            committed=self._committed,
        )
        self._proposing = Proposing(self._holdings, store=store, clock=clock)
        checking = outbox.checking()
        questions = StoredQuestions(
            store=store, clock=clock, look=self._proposing.look, tell_lost=self._proposing.lose_delivery
        )
        reconciler = Reconciler(handlers=checking, questions=questions, clock=clock)
        self._deadlines = Deadlines(
            holdings=self._holdings,
            store=store,
            clock=clock,
            owner=self._owner,
            recover=recover,
            expire=self._proposing.expire,
        )
        self._upkeep = Upkeep(
            holdings=self._holdings,
            store=store,
            clock=clock,
            owner=self._owner,
            pulse=pulse,
            recover=recover,
            deadlines=self._deadlines,
            reconcile=reconciler.run if checking else None,
        )

    async def __aenter__(self) -> Self:
        await self._upkeep.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._upkeep.stop()
        await self._holdings.close(CLEAN_UP_S)

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
        found = self._workflow(workflow)
        event = run_started(
            found,
            self._holdings.shapes[workflow],
            inputs,
            at=self._clock.now(),
            requested_by=requested_by,
            channel=channel,
            run_id=run_id,
            limit=self._max_payload_bytes,
        )
        # In a task of its own: whoever starts it may be cancelled, and what is stored by then must be carried on.
        task = asyncio.create_task(self._start(event))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return await asyncio.shield(task)

    async def _start(self, event: e.RunStarted) -> str:
        state = start(event)
        created = await self._store.create(new_run(event), change(0, [event], None, state), self._owner.owner_id)
        if not created:
            before = await self._holdings.load(event.run_id)
            if (before[0].workflow, before[0].inputs) != (event.workflow, event.inputs):
                raise RunExistsError(event.run_id, before[0].workflow)
            await self._holdings.own(event.run_id)
            return event.run_id
        self._holdings.adopt(state, seq=1, epoch=1).carry_on()
        extra = {"run_id": event.run_id, "workflow": event.workflow, "by": event.requested_by}
        logger.info("run started", extra=extra)
        return event.run_id

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
        while True:
            run = self._holdings.here(run_id)
            if run is not None:
                if await self._rested(run, over=over):
                    return result_of(run.state)
                continue
            summary = await self._store.summary(run_id)
            if summary is None:
                raise RunNotFoundError(run_id)
            if summary.status.over or (not over and summary.status is RunStatus.INTERRUPTED):
                return result_of((await self._holdings.load(run_id))[0])
            if summary.workflow not in self.workflows or await self._holdings.own(run_id) is None:
                await self._clock.sleep(POLL_S)

    # Deciding and steering.

    async def answer(self, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        refuse_unstorable(response, self._max_payload_bytes)
        run_id = await self._store.run_of(interrupt_id)
        if run_id is None:
            raise UnknownInterruptError(interrupt_id)
        return await self._answer(run_id, interrupt_id, response)

    async def _answer(
        self, run_id: str, interrupt_id: str, response: InterruptResponse, known: Stored | None = None
    ) -> InterruptResponse:
        proposal = propose_answer(interrupt_id, response, self._clock)
        stored: InterruptResponse = await self._proposing.submit(run_id, proposal, known)
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
        refuse_unstorable(response, self._max_payload_bytes)
        known = await self._holdings.load(run_id)
        interrupt_id = response.interrupt_id
        if interrupt_id is None:
            interrupt_id = the_one_pending(result_of(known[0]))
        if interrupt_id not in known[0].interrupts:
            raise UnknownInterruptError(interrupt_id)
        await self._answer(run_id, interrupt_id, response, known)
        return await self.wait(run_id)

    async def cancel(self, run_id: str, *, by: str | None = None, reason: str = "") -> RunResult:
        encode(reason, "reason", self._max_payload_bytes)
        refuse_unstorable_names(self._max_payload_bytes, by=by)
        await self._proposing.submit(run_id, propose_cancel(by, reason, self._clock))
        logger.info("run cancelled", extra={"run_id": run_id, "by": by})
        with contextlib.suppress(TimeoutError):  # a step that does not let itself be cancelled
            async with asyncio.timeout(CLEAN_UP_S):
                return await self.wait(run_id)
        return result_of((await self._holdings.load(run_id))[0])

    async def retry(self, run_id: str, from_step: str | None = None, *, by: str | None = None) -> RunResult:
        refuse_unstorable_names(self._max_payload_bytes, by=by)
        await self._proposing.submit(run_id, propose_retry(from_step, by, self._clock))
        logger.info("run retried", extra={"run_id": run_id, "from_step": from_step, "by": by})
        return await self.wait(run_id)

    # Looking.

    async def get(self, run_id: str) -> RunDetails:
        state, _ = await self._holdings.load(run_id)
        return details_of(state, await self._store.attempts(run_id))

    async def get_interrupt(self, interrupt_id: str) -> InterruptRecord:
        run_id = await self._store.run_of(interrupt_id)
        if run_id is None:
            raise UnknownInterruptError(interrupt_id)
        state, _ = await self._holdings.load(run_id)
        return interrupt_record(state, interrupt_id, await self._store.attempts(run_id))

    async def list_runs(
        self, *, status: RunStatus | None = None, workflow: str | None = None, limit: int = 50
    ) -> Sequence[RunSummary]:
        return await self._store.list_runs(status, workflow, limit)

    async def list_pending(self, *, run_id: str | None = None, limit: int = 100) -> Sequence[InterruptRequest]:
        return await self._store.list_pending(run_id, limit)

    async def history(self, run_id: str) -> Sequence[Checkpoint]:
        rows = await self._store.events(run_id)
        if not rows:
            raise RunNotFoundError(run_id)
        return [checkpoint_of(*row) for row in rows]

    # Resting.

    def _committed(self, state: RunState) -> None:
        for interrupt in state.interrupts.values():
            if interrupt.response is None and interrupt.request.deadline is not None:
                self._deadlines.added(interrupt.request.deadline)

    async def _rested(self, run: OwnedRun, *, over: bool) -> bool:
        """Wait for a rest in our hands; False if the run was lost meanwhile."""
        while not run.lost:
            if run.rests(over=over):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HANDLERS_S):
                        while run.rests(over=over) and not run.handlers_asked:
                            await run.changed()
                if run.rests(over=over):
                    return True
            else:
                await run.changed()
        return False

    def _workflow(self, name: str) -> Workflow:
        if name not in self.workflows:
            raise UnknownWorkflowError(name, list(self.workflows))
        return self.workflows[name]
