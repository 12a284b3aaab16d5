"""The one place that knows what time it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the engine sees it; tests move a clock of their own."""

    def now(self) -> datetime:
        """The wall clock, aware and in UTC. It may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, comparable between the processes of one boot."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def to_text(moment: datetime) -> str:
    """A moment as it is stored: ISO 8601, UTC, always with microseconds, so that text sorts as time."""
    moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
