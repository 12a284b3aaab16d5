"""The runs that this process owns: claimed, taken over, kept in memory while they work, and given up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from spectra_bot.clock import Clock
from spectra_bot.embedded.journal import delivered_to
from spectra_bot.embedded.owned_run import Means, Outbox, OwnedRun
from spectra_bot.embedded.ownership import Pulse, is_surely_dead
from spectra_bot.embedded.run_log import Ownership
from spectra_bot.embedded.runs_in_memory import RunsInMemory
from spectra_bot.embedded.stored_runs import Stored, StoredRuns
from spectra_bot.engine.execution import Execution
from spectra_bot.engine.ids import new_id
from spectra_bot.errors import LeaseLostError, RunNotFoundError, StoreError, UnreadableRunError
from spectra_bot.machine import Phase, RunState
from spectra_bot.machine import events as e
from spectra_bot.runs import RunUpdate
from spectra_bot.store import Claim, Owner, Store
from spectra_bot.workflow import Workflow

__all__ = ["Holdings", "Stored"]

logger = logging.getLogger(__name__)

BATCH = 200
"""How many runs without an owner are taken at once."""


class Holdings:
    """Knows which runs are ours, and loads them when they are needed."""

    def __init__(
        self,
        *,
        workflows: Mapping[str, Workflow],
        store: Store,
        clock: Clock,
        owner: Owner,
        pulse: Pulse,
        outbox: Outbox,
        max_payload_bytes: int,
        report: Callable[[RunUpdate], None] | None,
        committed: Callable[[RunState], None],
    ) -> None:
        self.shapes = {name: workflow.shape() for name, workflow in workflows.items()}
        """The graph on which a new run of each workflow starts."""
        self._store = store
        self._clock = clock
        self._owner = owner
        self._pulse = pulse
        self._stored = StoredRuns(store=store, shapes=self.shapes.values())
        self._memory = RunsInMemory()
        self._executions = {
            name: Execution(
                workflow,
                clock=clock,
                max_payload_bytes=max_payload_bytes,
                interrupt_id=lambda _run_id, now: new_id("i-", now),
            )
            for name, workflow in workflows.items()
        }
        self._means = Means(
            ownership=Ownership(store=store, clock=clock, owner_id=owner.owner_id, catch_up=self._catch_up),
            outbox=outbox,
            pulse=pulse,
            max_payload_bytes=max_payload_bytes,
            report=report,
            committed=committed,
            idle=self._memory.lay_aside,
        )
        self._adopting: dict[str, asyncio.Task[OwnedRun | None]] = {}
        self._owed: dict[str, Claim] = {}
        """Runs that are ours in the store and not yet in our hands."""
        self._unreadable: set[str] = set()
        """Runs that a newer version has written, or that are damaged; they are left alone."""
        self._closing = False

    def here(self, run_id: str) -> OwnedRun | None:
        """The run, if it is ours and in memory."""
        return self._memory.here(run_id)

    def all_here(self) -> Sequence[OwnedRun]:
        """Every run in memory."""
        return self._memory.all_here()

    def adopt(self, state: RunState, *, seq: int, epoch: int) -> OwnedRun:
        """Hold a run that is ours in the store; one that is held already stays as it is."""
        known = self.here(state.run_id)
        if known is not None:
            return known
        run = OwnedRun(state, seq=seq, epoch=epoch, execution=self._executions[state.workflow], means=self._means)
        self._memory.hold(run)
        return run

    async def own(self, run_id: str, known: Stored | None = None) -> OwnedRun | None:
        """The run in our hands; None if another process owns it, its workflow is not loaded here, or it is not there.

        Args:
            known: the run as it was loaded just now, which saves doing so again.
        """
        run = self.here(run_id)
        if run is not None:
            return run
        # In a task of its own: whoever asks may be cancelled, and what is claimed by then must be carried on.
        return await asyncio.shield(self._adopting.get(run_id) or self._begin(run_id, self._take(run_id, known)))

    async def bury_the_dead(self) -> None:
        """Forget the owners whose processes are gone, without waiting for their leases."""
        for other in await self._store.owners():
            if is_surely_dead(other, self._owner):
                await self._store.bury(other.owner_id)
                logger.warning("owner died", extra={"owner": other.owner_id, "pid": other.pid})

    @property
    def workflows(self) -> Sequence[str]:
        """The names of the workflows whose runs can be carried on here."""
        return list(self._executions)

    async def adopt_orphans(self) -> None:
        """Take every open run of a loaded workflow that has no live owner, and more to do than to wait for people."""
        await self.bury_the_dead()
        while self._may_adopt():
            claims = await self._store.claim_orphans(
                self.workflows,
                self._means.outbox.names,
                self._owner,
                self._clock.monotonic,
                limit=BATCH,
                leave=self._unreadable,
            )
            await self._take_all(claims)
            if len(claims) < BATCH:
                return

    async def adopt_overdue(self, now: str) -> int:
        """Take some runs of loaded workflows whose time to wait is over and that have no live owner; tells how many."""
        if not self._may_adopt():
            return 0
        claims = await self._store.claim_overdue(
            self.workflows, self._owner, self._clock.monotonic, now=now, limit=BATCH, leave=self._unreadable
        )
        await self._take_all(claims)
        return len(claims)

    async def take_owed(self) -> None:
        """Load what was claimed and can be read; what a failing store leaves is tried again at the next call."""
        for run_id, claim in list(self._owed.items()):
            if run_id in self._adopting or self._owed.get(run_id) is not claim:
                continue  # someone who asked for it has taken it over while we loaded the ones before
            known = self.here(run_id)
            if known is not None:
                known.lose()
            try:
                await asyncio.shield(self._begin(run_id, self._take_over(claim)))
            except (UnreadableRunError, RunNotFoundError):
                continue  # logged where it was met
            except StoreError:  # a page of it is damaged, say, and the others need not wait for it
                logger.warning("run could not be taken; it is tried again", extra={"run_id": run_id}, exc_info=True)

    async def _take_all(self, claims: Sequence[Claim]) -> None:
        self._owed.update((claim.run_id, claim) for claim in claims)
        await self.take_owed()

    def _may_adopt(self) -> bool:
        return bool(self._executions) and not self._closing and not self._is_blind()

    def _is_blind(self) -> bool:
        return self._pulse.is_blind(self._clock.monotonic())

    async def load(self, run_id: str) -> Stored:
        """The run as it is stored, as `StoredRuns.load` has it."""
        return await self._stored.load(run_id)

    async def close(self, grace_s: float) -> None:
        """Stop what runs, and give up every run, so that the next process need not wait for the lease."""
        self._closing = True
        await asyncio.gather(*(run.close(grace_s) for run in self.all_here()))
        with contextlib.suppress(StoreError):  # the lease runs out by itself
            await self._store.release(self._owner.owner_id)

    def _begin(self, run_id: str, work: Coroutine[Any, Any, OwnedRun | None]) -> asyncio.Task[OwnedRun | None]:
        """Adopt a run in the one task that does so at a time."""
        task = self._adopting[run_id] = asyncio.create_task(work)
        task.add_done_callback(lambda task: self._taken(run_id, task))
        return task

    def _taken(self, run_id: str, task: asyncio.Task[OwnedRun | None]) -> None:
        del self._adopting[run_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("run could not be taken", exc_info=error, extra={"run_id": run_id})

    async def _take(self, run_id: str, known: Stored | None) -> OwnedRun | None:
        if self._closing:
            return None
        claim = await self._store.claim(
            run_id, self.workflows, self._owner, self._clock.monotonic, may_take=not self._is_blind()
        )
        if claim is None:
            return None
        owed = self._owed.get(run_id)
        if owed is not None and owed.epoch == claim.epoch:
            claim = owed  # it was claimed with others, and knows whether its last owner died
        self._owed[run_id] = claim
        return await self._take_over(claim, known)

    async def _take_over(self, claim: Claim, known: Stored | None = None) -> OwnedRun | None:
        run_id = claim.run_id
        try:
            state, seq = known if known is not None and known[1] == claim.seq else await self._stored.load(run_id)
        except UnreadableRunError:
            logger.exception("run is left alone: it can't be read here", extra={"run_id": run_id})
            self._unreadable.add(run_id)
            self._owed.pop(run_id, None)
            await self._store.give_back(claim, self._owner)
            raise
        except RunNotFoundError:  # pruned since it was claimed
            self._owed.pop(run_id, None)
            raise
        run = self.adopt(state, seq=seq, epoch=claim.epoch)
        self._means.committed(state)
        running = [name for name, node in state.nodes.items() if node.phase is Phase.RUNNING]
        if claim.crashed and running and not state.status.over:
            logger.warning("run recovered", extra={"run_id": run_id, "steps": running})
            recovered = e.RunRecovered(at=self._clock.now(), steps=running)
            try:
                await run.submit(lambda _: ([recovered], None))
            except LeaseLostError:
                pass  # carrying it on does nothing then
            except StoreError:
                run.lose()  # it is still owed: who asks for it next takes it over anew
                raise
        if self._owed.get(run_id) == claim:  # not a newer one
            del self._owed[run_id]
        run.carry_on()
        names = delivered_to(state)
        if names is not None and names != claim.delivered_to:  # stored by a version that did not say so
            with contextlib.suppress(StoreError):  # it is found as an orphan once more, and marked then
                await self._store.mark_quiet(claim, self._owner, seq, names)
        if not run.is_busy:
            self._memory.keep_a_while(run)
        return run

    async def _catch_up(self, state: RunState, seq: int) -> Stored:
        state, seq = await self._stored.catch_up(state, seq)
        await self._store.clear_note(state.run_id, self._owner.owner_id, seq)
        return state, seq
