"""Fires deadlines: of the runs that we own, and where this process recovers, of those that nobody owns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from spectra_bot.clock import Clock, from_text, to_text
from spectra_bot.embedded.holdings import Holdings
from spectra_bot.errors import RunNotFoundError, StoreError, UnreadableRunError
from spectra_bot.store import Owner, Store

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often deadlines are looked for at least: other processes set some, and a wall clock may jump."""
MAX_PAUSE_S = 300.0
"""How long a deadline that can't be recorded is put off at most."""
BATCH = 200
"""How many are fired at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PutOff:
    times: int
    until: float
    """By the monotonic clock."""


class Deadlines:
    """Records each deadline that has passed, once; one that can't be recorded holds up no other.

    Args:
        recover: fire those of runs without a live owner too.
        expire: records that an interrupt's time is over; False if it is not, or somebody decided before.
    """

    def __init__(
        self,
        *,
        holdings: Holdings,
        store: Store,
        clock: Clock,
        owner: Owner,
        recover: bool,
        expire: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._holdings = holdings
        self._store = store
        self._clock = clock
        self._owner = owner
        self._recover = recover
        self._expire = expire
        self._looks_again_at = clock.now()
        self._added = asyncio.Event()
        self._put_off: dict[str, _PutOff] = {}

    def added(self, deadline: datetime) -> None:
        """An interrupt is stored and its run ours: look earlier, if it is due before the next look."""
        if deadline < self._looks_again_at:
            self._added.set()

    async def watch(self) -> None:
        """Fire what is due, for ever; ends only with an error of the store."""
        while True:
            began = self._clock.monotonic()
            self._added.clear()
            self._looks_again_at = self._clock.now() + timedelta(seconds=LOOK_S)
            await self._fire_due()
            now = self._clock.now()
            until = now + timedelta(seconds=LOOK_S)
            due = await self._store.next_deadline(
                self._holdings.workflows, self._owner.owner_id, to_text(now), to_text(until)
            )
            await self._rest(began, from_text(due) if due else None)

    async def _fire_due(self) -> None:
        """Fire all that is due; many runs may have waited for the same moment."""
        forgotten = self._clock.monotonic() - MAX_PAUSE_S
        self._put_off = {key: put_off for key, put_off in self._put_off.items() if put_off.until > forgotten}
        while True:
            now = to_text(self._clock.now())
            adopted = await self._holdings.adopt_overdue(now) if self._recover else 0
            waits = self._clock.monotonic()
            due = await self._store.due(
                self._holdings.workflows,
                self._owner.owner_id,
                now,
                limit=BATCH,
                leave=[key for key, put_off in self._put_off.items() if put_off.until > waits],
            )
            await asyncio.gather(*(self._fire(run_id, interrupt_id) for run_id, interrupt_id in due))
            if adopted < BATCH and len(due) < BATCH:
                return

    async def _fire(self, run_id: str, interrupt_id: str) -> None:
        facts = {"run_id": run_id, "interrupt_id": interrupt_id}
        try:
            if await self._expire(run_id, interrupt_id):
                logger.info("interrupt expired", extra=facts)
                self._put_off.pop(interrupt_id, None)
                return
        except StoreError:
            raise
        except (UnreadableRunError, RunNotFoundError):
            pass  # logged where it was met
        except Exception:
            logger.exception("deadline could not be recorded", extra=facts)
        before = self._put_off.get(interrupt_id)
        times = before.times + 1 if before else 0
        pause_s = min(LOOK_S * 2 ** min(times, 10), MAX_PAUSE_S)
        self._put_off[interrupt_id] = _PutOff(times=times, until=self._clock.monotonic() + pause_s)

    async def _rest(self, began: float, due: datetime | None) -> None:
        """Wait for the next deadline, the next look, or one that was added before both."""
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._added.wait()),
            asyncio.create_task(self._sleep(began, due)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _sleep(self, began: float, due: datetime | None) -> None:
        """Sleep until the next look, counted from when this one began: a clock that moved since is not overlooked."""
        left_s = began + LOOK_S - self._clock.monotonic()
        if due is not None:
            left_s = min(left_s, (due - self._clock.now()).total_seconds())
        await self._clock.sleep(left_s)
