"""What an owner does in the background: beats, looks for what others did, and has deadlines fired."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from spectra_bot.clock import Clock
from spectra_bot.embedded.deadlines import Deadlines
from spectra_bot.embedded.holdings import Holdings
from spectra_bot.embedded.ownership import Pulse
from spectra_bot.errors import RunNotFoundError, StoreError, UnreadableRunError
from spectra_bot.store import Owner, Store

logger = logging.getLogger(__name__)

POLL_S = 0.1
"""How often an owner looks for what other processes appended."""
SCAN_S = 1.0
"""How often a process that recovers looks for runs without a live owner."""
BEATS_A_LEASE = 4


class Upkeep:
    """Background work of one owner; an async context manager.

    Args:
        recover: adopt all runs without a live owner, at once and from then on.
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
        deadlines: Deadlines,
        reconcile: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._holdings = holdings
        self._store = store
        self._clock = clock
        self._owner = owner
        self._pulse = pulse
        self._recover = recover
        self._deadlines = deadlines
        self._reconcile = reconcile
        self._seen_lapses = 0
        """Kept here, for a look that the store stops begins anew and must not take a lapse for seen."""
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
            asyncio.create_task(self._forever(self._deadlines.watch), name="spectra-deadlines"),
        ]
        if self._recover and self._reconcile is not None:
            self._tasks.append(asyncio.create_task(self._forever(self._reconcile), name="spectra-reconcile"))

    async def stop(self) -> None:
        """End the background work."""
        self._store.stop_beating()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

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
        looked = scanned = self._clock.monotonic()
        while True:
            behind = self._clock.monotonic() - looked > SCAN_S  # so long took the last look, or the clock was moved
            await self._clock.sleep(0 if behind else POLL_S)
            looked = self._clock.monotonic()
            if not self._pulse.is_fresh(self._clock.monotonic(), 1 / 2):
                await self._beat()
            if self._pulse.lapses != self._seen_lapses:
                self._seen_lapses = self._pulse.lapses
                extra = {"lapses": self._seen_lapses}
                logger.warning("process stood still, or could not write, for long", extra=extra)
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

    async def _beat(self) -> None:
        self._pulse.beaten(await self._store.beat(self._owner, self._clock.monotonic))

    async def _take_notes(self) -> None:
        """Take in what others appended to our runs."""
        for run_id in await self._store.noted(self._owner.owner_id):
            with contextlib.suppress(UnreadableRunError, RunNotFoundError):  # logged where it was met
                run = await self._holdings.own(run_id)
                if run is not None:
                    run.note()
