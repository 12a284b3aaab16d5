"""The embedded engine: asyncio and a store. Owns runs, brings events in, and carries commands out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic_core import from_json

from spectra_bot.clock import Clock, to_text
from spectra_bot.embedded.answers import (
    propose_answer,
    propose_cancel,
    propose_expiry,
    propose_retry,
    the_one_pending,
)
from spectra_bot.embedded.execution import Execution
from spectra_bot.embedded.journal import change, new_id, new_run, read_shape, replay
from spectra_bot.embedded.outbox import HandlerOutbox
from spectra_bot.embedded.owned_run import Means, OwnedRun, Propose
from spectra_bot.embedded.ownership import new_owner
from spectra_bot.embedded.views import checkpoint_of, details_of, interrupt_record, result_of
from spectra_bot.errors import (
    LeaseLostError,
    RunExistsError,
    RunNotFoundError,
    StoreError,
    UnknownInterruptError,
    UnknownWorkflowError,
)
from spectra_bot.graph import Shape
from spectra_bot.interrupts import IInterruptHandler, InterruptRequest, InterruptResponse
from spectra_bot.machine import Phase, RunState, apply, start
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
from spectra_bot.store import Claim, Store
from spectra_bot.workflow import Workflow

logger = logging.getLogger(__name__)

POLL_S = 0.1
"""How often an owner looks for what other processes appended."""
SCAN_S = 1.0
"""How often a process that recovers looks for runs without a live owner."""
HANDLERS_S = 5.0
"""How long a run that rests waits for its handlers' first turn."""
GRACE_S = 10.0
"""How long a step may clean up when the process stops."""
KEPT_IDLE = 512
"""How many resting runs stay in memory, so that an answer finds them there."""
BATCH = 200
"""How many overdue interrupts or orphaned runs are taken at once."""


class EmbeddedEngine:
    """Every coroutine of the `Runner` protocol, in this process.

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
        self._recover = recover
        self._owner = new_owner(lease_s)
        self._executions = {
            name: Execution(workflow, clock=clock, max_payload_bytes=max_payload_bytes)
            for name, workflow in workflows.items()
        }
        self._started_shapes = {name: workflow.shape() for name, workflow in workflows.items()}
        self._shapes = {shape.digest: shape for shape in self._started_shapes.values()}
        self._means = Means(
            store=store,
            clock=clock,
            owner_id=self._owner.owner_id,
            outbox=HandlerOutbox(handlers, store=store, clock=clock),
            max_payload_bytes=max_payload_bytes,
            report=report,
            catch_up=self._catch_up,
            committed=self._committed,
        )
        self._runs: dict[str, OwnedRun] = {}
        self._idle_runs: OrderedDict[str, OwnedRun] = OrderedDict()
        self._adopting: dict[str, asyncio.Lock] = {}
        self._deadlines_changed = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._closing = False
        self._last_beat = 0.0

    async def __aenter__(self) -> Self:
        await self._beat()
        if self._recover:
            await self._adopt_orphans()
        self._background = [
            asyncio.create_task(self._forever(self._look_around), name="spectra-look-around"),
            asyncio.create_task(self._forever(self._fire_deadlines), name="spectra-deadlines"),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closing = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(run.close(GRACE_S) for run in list(self._runs.values())))
        with contextlib.suppress(StoreError):  # the lease runs out by itself
            await self._store.release(self._owner.owner_id)

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
        stored_inputs = found.stored_inputs(inputs)
        now = self._clock.now()
        event = e.RunStarted(
            at=now,
            run_id=run_id or new_id("r-", now),
            workflow=workflow,
            shape=self._started_shapes[workflow],
            inputs=stored_inputs,
            requested_by=requested_by,
            channel=channel,
        )
        state = start(event)
        created = await self._store.create(new_run(event), change(0, [event], None, state), self._owner.owner_id)
        if not created:
            before = await self._load(event.run_id)
            if (before[0].workflow, before[0].inputs) != (workflow, stored_inputs):
                raise RunExistsError(event.run_id, before[0].workflow)
            await self._own(event.run_id)
            return event.run_id
        self._adopt(state, seq=1, epoch=1).carry_on()
        logger.info("run started", extra={"run_id": event.run_id, "workflow": workflow})
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
            run = self._runs.get(run_id)
            if run is not None and not run.lost:
                if await self._rested(run, over=over):
                    return result_of(run.state)
                continue
            summary = await self._store.summary(run_id)
            if summary is None:
                raise RunNotFoundError(run_id)
            if summary.status.over or (not over and summary.status is RunStatus.INTERRUPTED):
                return result_of((await self._load(run_id))[0])
            if summary.workflow not in self.workflows or await self._own(run_id) is None:
                await self._clock.sleep(POLL_S)

    # Deciding and steering.

    async def answer(self, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        run_id = await self._store.run_of(interrupt_id)
        if run_id is None:
            raise UnknownInterruptError(interrupt_id)
        stored: InterruptResponse = await self._propose(run_id, propose_answer(interrupt_id, response, self._clock))
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
        interrupt_id = response.interrupt_id
        if interrupt_id is None:
            interrupt_id = the_one_pending((await self._load(run_id))[0])
        elif await self._store.run_of(interrupt_id) != run_id:
            await self._load(run_id)
            raise UnknownInterruptError(interrupt_id)
        await self.answer(interrupt_id, response)
        return await self.wait(run_id)

    async def cancel(self, run_id: str, *, by: str | None = None, reason: str = "") -> RunResult:
        await self._propose(run_id, propose_cancel(by, reason, self._clock))
        logger.info("run cancelled", extra={"run_id": run_id, "by": by})
        return await self.wait(run_id)

    async def retry(self, run_id: str, *, by: str | None = None) -> RunResult:
        await self._propose(run_id, propose_retry(by, self._clock))
        logger.info("run retried", extra={"run_id": run_id, "by": by})
        return await self.wait(run_id)

    # Looking.

    async def get(self, run_id: str) -> RunDetails:
        state, _ = await self._load(run_id)
        return details_of(state, await self._store.attempts(run_id))

    async def get_interrupt(self, interrupt_id: str) -> InterruptRecord:
        run_id = await self._store.run_of(interrupt_id)
        if run_id is None:
            raise UnknownInterruptError(interrupt_id)
        state, _ = await self._load(run_id)
        return interrupt_record(state.interrupts[interrupt_id], await self._store.attempts(run_id))

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

    # Owning runs.

    async def _propose(self, run_id: str, propose: Propose) -> Any:
        """Have a change judged and stored: by its owner's hand where that is us, else from outside."""
        while True:
            run = await self._own(run_id)
            try:
                if run is not None:
                    return await run.submit(propose)
                state, seq = await self._load(run_id)
                events, outcome = propose(state)
                after = state
                for event in events:
                    after = apply(after, event)
                if events and not await self._store.append_from_outside(change(seq, events, state, after)):
                    continue
            except LeaseLostError:
                continue
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    async def _own(self, run_id: str) -> OwnedRun | None:
        """The run in our hands; None if another process owns it, or its workflow is not loaded here."""
        run = self._runs.get(run_id)
        if run is not None and not run.lost:
            return run
        lock = self._adopting.setdefault(run_id, asyncio.Lock())
        try:
            async with lock:
                run = self._runs.get(run_id)
                if run is not None and not run.lost:
                    return run
                summary = await self._store.summary(run_id)
                if summary is None:
                    raise RunNotFoundError(run_id)
                if summary.workflow not in self.workflows or self._closing:
                    return None
                claim = await self._claim(run_id)
                return await self._take_over(claim) if claim else None
        finally:
            if not lock.locked():
                self._adopting.pop(run_id, None)

    async def _claim(self, run_id: str) -> Claim | None:
        """Ours already (it rested and left memory), or without a live owner; else None."""
        owner = await self._store.owner_of(run_id)
        if owner is not None and owner[0] == self._owner.owner_id:
            return Claim(run_id=run_id, epoch=owner[1], crashed=False)
        return await self._store.claim(run_id, self._owner, self._clock.monotonic())

    async def _take_over(self, claim: Claim) -> OwnedRun:
        state, seq = await self._load(claim.run_id)
        run = self._adopt(state, seq=seq, epoch=claim.epoch)
        running = [name for name, node in state.nodes.items() if node.phase is Phase.RUNNING]
        if claim.crashed and running and not state.status.over:
            logger.warning("run recovered", extra={"run_id": claim.run_id, "steps": running})
            recovered = e.RunRecovered(at=self._clock.now(), steps=running)
            with contextlib.suppress(LeaseLostError):
                await run.submit(lambda _: ([recovered], None))
        run.carry_on()
        return run

    def _adopt(self, state: RunState, *, seq: int, epoch: int) -> OwnedRun:
        run = OwnedRun(
            state,
            seq=seq,
            epoch=epoch,
            execution=self._executions[state.workflow],
            means=self._means,
            idle=self._rest,
        )
        self._runs[state.run_id] = run
        return run

    def _rest(self, run: OwnedRun) -> None:
        """Keep a run that does nothing for a while, and forget the one that has done nothing for longest."""
        run_id = run.state.run_id
        if self._runs.get(run_id) is not run:
            return
        if run.lost:
            del self._runs[run_id]
            return
        self._idle_runs[run_id] = run
        self._idle_runs.move_to_end(run_id)
        while len(self._idle_runs) > KEPT_IDLE:
            old_id, old = self._idle_runs.popitem(last=False)
            if not old.is_busy and not old.watched and self._runs.get(old_id) is old:
                del self._runs[old_id]

    async def _load(self, run_id: str) -> tuple[RunState, int]:
        """The run as it is stored, and the number of its last event."""
        rows = await self._store.events(run_id)
        if not rows:
            raise RunNotFoundError(run_id)
        await self._learn_shape(rows[0][2])
        return replay(None, rows, self._shape)

    async def _catch_up(self, state: RunState, seq: int) -> tuple[RunState, int]:
        rows = await self._store.events(state.run_id, seq)
        return replay(state, rows, self._shape) if rows else (state, seq)

    async def _learn_shape(self, started: str) -> None:
        digest = from_json(started)["shape"]
        if digest not in self._shapes:
            self._shapes[digest] = read_shape(await self._store.shape(digest))

    def _shape(self, digest: str) -> Shape:
        return self._shapes[digest]

    def _workflow(self, name: str) -> Workflow:
        if name not in self.workflows:
            raise UnknownWorkflowError(name, list(self.workflows))
        return self.workflows[name]

    # Resting.

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

    # In the background.

    async def _forever(self, work: Callable[[], Any]) -> None:
        """Repeat background work; a store that fails for a while only delays it."""
        while True:
            try:
                await work()
            except StoreError:
                logger.warning("store failed in the background", exc_info=True)
                await self._clock.sleep(SCAN_S)

    async def _look_around(self) -> None:
        """Beat, take in what others appended, and adopt what has no owner."""
        version = await self._store.data_version()
        scanned = self._clock.monotonic()
        while True:
            await self._clock.sleep(POLL_S)
            silent_s = self._clock.monotonic() - self._last_beat
            if silent_s > self._owner.lease_s / 3:
                await self._beat()
            if silent_s > self._owner.lease_s:
                logger.warning("lease ran out while this process stood still", extra={"silent_s": silent_s})
                for run in list(self._runs.values()):
                    run.note()
            newest = await self._store.data_version()
            if newest != version:
                version = newest
                await self._take_notes()
            if self._recover and self._clock.monotonic() - scanned > SCAN_S:
                scanned = self._clock.monotonic()
                await self._adopt_orphans()

    async def _beat(self) -> None:
        self._last_beat = self._clock.monotonic()
        await self._store.beat(self._owner, self._last_beat)

    async def _take_notes(self) -> None:
        self._deadlines_changed.set()
        for run_id in await self._store.noted(self._owner.owner_id):
            run = await self._own(run_id)
            if run is not None:
                run.note()

    async def _adopt_orphans(self) -> None:
        if not self.workflows:
            return
        while True:
            claims = await self._store.claim_orphans(list(self.workflows), self._owner, self._clock.monotonic(), BATCH)
            for claim in claims:
                known = self._runs.get(claim.run_id)
                if known is not None:
                    known.lose()
                await self._take_over(claim)
            self._deadlines_changed.set()
            if len(claims) < BATCH:
                return

    async def _fire_deadlines(self) -> None:
        """Record each deadline that has passed; look again when the next is due, or when one was added."""
        while True:
            self._deadlines_changed.clear()
            for run_id, interrupt_id in await self._store.due(self._owner.owner_id, to_text(self._clock.now()), BATCH):
                with contextlib.suppress(RunNotFoundError):
                    await self._propose(run_id, propose_expiry(interrupt_id, self._clock))
                    logger.info("interrupt expired", extra={"run_id": run_id, "interrupt_id": interrupt_id})
            due = await self._store.next_deadline(self._owner.owner_id)
            await self._until(datetime.fromisoformat(due) if due else None)

    async def _until(self, due: datetime | None) -> None:
        """Sleep until then, at most a second at a time (a wall clock may jump), or until deadlines changed."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._deadlines_changed.wait())]
        if due is not None:
            left = (due - self._clock.now()).total_seconds()
            waits.append(asyncio.create_task(self._clock.sleep(min(max(left, 0.0), SCAN_S))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _committed(self, state: RunState) -> None:
        if state.status is RunStatus.INTERRUPTED:
            self._deadlines_changed.set()
