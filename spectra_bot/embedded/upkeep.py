"""What an owner does in the background: beats, looks for what others did, and fires deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from spectra_bot.clock import Clock, to_text
from spectra_bot.embedded.holdings import Holdings
from spectra_bot.embedded.ownership import Pulse
from spectra_bot.errors import RunNotFoundError, StoreError, UnreadableRunError
from spectra_bot.store import Owner, Store

logger = logging.getLogger(__name__)

POLL_S = 0.1
"""How often an owner looks for what other processes appended."""
SCAN_S = 1.0
"""How often a process that recovers looks for runs without a live owner, and any for a wall clock that jumped."""
BEATS_A_LEASE = 4
BATCH = 200
"""How many overdue interrupts are taken at once."""


class Upkeep:
    """Background work of one owner; an async context manager.

    Args:
        recover: adopt all runs without a live owner, at once and from then on.
        expire: records that an interrupt's time is over, if nobody decided before.
        reconcile: compares what was delivered with what stands, until cancelled; only who recovers does it.
    """

    def __init__(
        self,
        *,
        holdings: Holdings,
        store: Store,
        clock: Clock,
        owner: Owner,
        pulse: Pulse,
        recover: bool,
        expire: Callable[[str, str], Awaitable[None]],
        reconcile: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._holdings = holdings
        self._store = store
        self._clock = clock
        self._owner = owner
        self._pulse = pulse
        self._recover = recover
        self._expire = expire
        self._reconcile = reconcile
        self._deadlines_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Beat, adopt what has no owner, and go on doing so."""
        await self._beat()
        every_s = self._owner.lease_s / BEATS_A_LEASE
        self._store.keep_beating(self._owner, self._clock.monotonic, every_s, self._pulse.beaten)
        await self._holdings.bury_the_dead()
        if self._recover:
            await self._holdings.adopt_orphans()
        self._tasks = [
            asyncio.create_task(self._forever(self._look_around), name="spectra-look-around"),
            asyncio.create_task(self._forever(self._fire_deadlines), name="spectra-deadlines"),
        ]
        if self._recover and self._reconcile is not None:
            self._tasks.append(asyncio.create_task(self._forever(self._reconcile), name="spectra-reconcile"))

    async def stop(self) -> None:
        """End the background work."""
        self._store.stop_beating()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def deadlines_changed(self) -> None:
        """An interrupt was stored or closed: look again which deadline is next."""
        self._deadlines_changed.set()

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Repeat background work, whatever fails: without its beat this process would lose its runs."""
        while True:
            try:
                await work()
            except StoreError:
                logger.warning("store failed in the background", exc_info=True)
            except Exception:
                logger.exception("background work failed")
            await self._clock.sleep(SCAN_S)

    async def _look_around(self) -> None:
        version = -1
        lapses = self._pulse.lapses
        scanned = self._clock.monotonic()
        while True:
            await self._clock.sleep(POLL_S)
            if not self._pulse.is_fresh(self._clock.monotonic(), 1 / 2):
                await self._beat()
            if self._pulse.lapses != lapses:
                lapses = self._pulse.lapses
                logger.warning("process stood still, or could not write, for long", extra={"lapses": lapses})
                for run in self._holdings.all_here():
                    run.note()
            newest = await self._store.data_version()
            if newest != version:
                version = newest
                await self._take_notes()
            if self._clock.monotonic() - scanned > SCAN_S:
                scanned = self._clock.monotonic()
                await self._holdings.take_owed()
                if self._recover:
                    await self._holdings.adopt_orphans()
                    self.deadlines_changed()

    async def _beat(self) -> None:
        self._pulse.beaten(await self._store.beat(self._owner, self._clock.monotonic))

    async def _take_notes(self) -> None:
        """Take in what others appended to our runs."""
        self.deadlines_changed()
        for run_id in await self._store.noted(self._owner.owner_id):
            with contextlib.suppress(UnreadableRunError, RunNotFoundError):  # logged where it was met
                run = await self._holdings.own(run_id)
                if run is not None:
                    run.note()

    async def _fire_deadlines(self) -> None:
        """Record each deadline that has passed; look again when the next is due, or when one was added."""
        while True:
            self._deadlines_changed.clear()
            now = to_text(self._clock.now())
            for run_id, interrupt_id in await self._store.due(self._owner.owner_id, now, BATCH):
                with contextlib.suppress(UnreadableRunError, RunNotFoundError):
                    await self._expire(run_id, interrupt_id)
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
