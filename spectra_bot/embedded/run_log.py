"""The log of one owned run: what is proposed is judged on its newest state, and committed with what waits beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spectra_bot.clock import Clock
from spectra_bot.embedded.inbox import Proposal, judge, tell_proposer
from spectra_bot.embedded.journal import change
from spectra_bot.engine.proposals import Propose
from spectra_bot.errors import LeaseLostError, StoreError
from spectra_bot.machine import RunState, StaleEvent
from spectra_bot.machine import events as e
from spectra_bot.store import Store

__all__ = ["Ownership", "Propose", "RunLog"]

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
MAX_RETRY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What a log needs to store as an owner, and to learn what others stored."""

    store: Store
    clock: Clock
    owner_id: str
    catch_up: Callable[[RunState, int], Awaitable[tuple[RunState, int]]]
    """The state and number of events after what others appended."""


class RunLog:
    """Holds a run's newest committed state; nothing changes it but the pump.

    An append that is refused because someone else wrote first is judged anew on what they wrote.

    Args:
        changed: told after each commit, with its events; with none after others' were taken in, or the run was lost.
        quiet: told when the pump has nothing more to do.
    """

    def __init__(
        self,
        state: RunState,
        *,
        seq: int,
        epoch: int,
        ownership: Ownership,
        changed: Callable[[Sequence[e.Event]], None],
        quiet: Callable[[], None],
    ) -> None:
        self.state = state
        self.lost = False
        self.pump_task: asyncio.Task[None] | None = None
        self._seq = seq
        self._epoch = epoch
        self._ownership = ownership
        self._changed = changed
        self._quiet = quiet
        self._inbox: list[Proposal] = []
        self._stale = False
        self._closing = False

    @property
    def is_busy(self) -> bool:
        """Something waits to be stored."""
        return self.pump_task is not None or bool(self._inbox)

    async def submit(self, propose: Propose) -> Any:
        """Propose a change; return its outcome when it is on disk.

        Raises:
            LeaseLostError: another process owns the run now; nothing was stored.
            StoreError: the store refused; nothing was stored.
            Exception: whatever the proposal raised, or gave as its outcome.
        """
        if self.lost:
            raise LeaseLostError(self.state.run_id)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inbox.append(Proposal(propose=propose, future=future))
        self._wake()
        return await future

    def report(self, events: Sequence[e.Event], judged: Callable[[bool], None]) -> None:
        """Queue a result that must be stored; the caller pumps, if nobody does. One that came too late is dropped.

        Args:
            judged: told once it is stored or dropped; False where it broke a rule of the machine, which is a bug.
        """
        if self.lost:
            judged(False)
            return
        self._inbox.append(Proposal(propose=lambda _: (events, None), judged=judged))

    async def keep(self, event: e.Event) -> None:
        """Store what happened to the world, however long the store fails; return when it is on disk.

        An event that came too late, or after the run was lost, is dropped.
        """
        judged = asyncio.Event()
        self.report([event], lambda _: judged.set())
        self._wake()
        await judged.wait()

    async def is_ours(self) -> bool:
        """Ask the store; a run that another process has taken is lost here at once."""
        ownership = self._ownership
        if await ownership.store.owner_of(self.state.run_id) != (ownership.owner_id, self._epoch):
            self.lose()
        return not self.lost

    def note(self) -> None:
        """Someone else may have appended: take it in."""
        self._stale = True
        self._wake()

    async def pump(self, task: asyncio.Task[None] | None = None) -> None:
        """Judge and commit until nothing waits; one task at a time.

        Args:
            task: the one that runs it, where it is not the pump's own.
        """
        if task is not None:
            self.pump_task = task
        retry_s = FIRST_RETRY_S
        try:
            while (self._inbox or self._stale) and not self.lost:
                try:
                    if self._stale:
                        await self._catch_up()
                    if self._inbox and not self.lost:
                        await self._commit_inbox()
                    retry_s = FIRST_RETRY_S
                except Exception as error:
                    logger.warning("change was not stored", extra={"run_id": self.state.run_id}, exc_info=True)
                    self._inbox = [proposal for proposal in self._inbox if not tell_proposer(proposal.future, error)]
                    if self._closing:
                        return
                    await self._ownership.clock.sleep(retry_s)
                    retry_s = min(retry_s * 2, MAX_RETRY_S)
        finally:
            self.pump_task = None
            self._quiet()

    def lose(self) -> None:
        """Another process owns the run now: nothing more is stored for it from here."""
        if not self.lost:
            logger.warning("run was taken over by another process", extra={"run_id": self.state.run_id})
            self.lost = True
            inbox, self._inbox = self._inbox, []
            self._drop(inbox)
            self._changed(())

    async def close(self, grace_s: float) -> None:
        """Store what waits, but do not wait for a store that fails."""
        self._closing = True
        if self.pump_task is not None:
            await asyncio.wait([self.pump_task], timeout=grace_s)

    def _wake(self) -> None:
        if self.pump_task is None:
            self.pump_task = asyncio.create_task(self.pump())

    async def _commit_inbox(self) -> None:
        """Store what waits. If the store fails it waits on, and the error is raised."""
        group, self._inbox = self._inbox, []
        try:
            while True:
                state, events, outcomes = judge(self.state, group)
                if not events or await self._append(state, events):
                    break
                if not await self._catch_up():
                    self._drop(group)
                    return
        except Exception:
            self._inbox = [*group, *self._inbox]
            raise
        if events:
            self.state = state
            self._seq += len(events)
        for proposal, outcome in outcomes:
            tell_proposer(proposal.future, outcome)
            if proposal.judged is not None:
                proposal.judged(not isinstance(outcome, Exception) or isinstance(outcome, StaleEvent))
        if events:
            self._changed(events)

    def _drop(self, proposals: Sequence[Proposal]) -> None:
        for proposal in proposals:
            if not tell_proposer(proposal.future, LeaseLostError(self.state.run_id)) and proposal.judged is not None:
                proposal.judged(False)

    async def _append(self, state: RunState, events: Sequence[e.Event]) -> bool:
        ownership = self._ownership
        return await ownership.store.append(
            change(self._seq, events, self.state, state), owner_id=ownership.owner_id, epoch=self._epoch
        )

    async def _catch_up(self) -> bool:
        """Take in events that others appended, and carry them on; False if the run is not ours any more."""
        ownership, run_id = self._ownership, self.state.run_id
        self._stale = True  # until it succeeds
        if not await self.is_ours():
            return False
        try:
            self.state, self._seq = await ownership.catch_up(self.state, self._seq)
        except StoreError:
            raise
        except Exception:
            logger.exception("run can't be carried on: what was appended is unreadable here", extra={"run_id": run_id})
            self.lose()
            return False
        self._stale = False
        self._changed(())
        return True
