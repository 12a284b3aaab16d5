"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved; sleepers wake in the order of their times.

    Args:
        start: its first wall-clock time, aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The wall clock as it was last moved."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that `advance` adds to and `jump` does not touch."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has been advanced that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    def advance(self, delta: timedelta) -> None:
        """Move both clocks on, and wake whoever sleeps no longer."""
        self._now += delta
        self._monotonic += delta.total_seconds()
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def jump(self, delta: timedelta) -> None:
        """Move the wall clock alone, as an administrator or a time server does."""
        self._now += delta
