"""Time as Temporal's server has it, for what happens in activities."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime, timedelta

from temporalio import activity

from spectra_bot.clock import Clock, SystemClock

_BEGAN: ContextVar[tuple[datetime, float]] = ContextVar("_BEGAN")
"""When this activity began: by the server's wall clock, and by our monotonic one."""


class ServerClock:
    """The machine's clocks, but in activities the server's wall clock: it is the one that deadlines run out by.

    A worker whose own is behind would ask questions whose time is over when they are asked, and skip the pauses between
    attempts. It may lag by as long as an activity takes to get here, and never leads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        began = _BEGAN.get(None)
        if began is None:
            return self._clock.now()
        there, here = began
        return there + timedelta(seconds=self._clock.monotonic() - here)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


def servers_time(clock: Clock) -> Clock:
    """The clock for activities; one that a test moves stays what it is."""
    return ServerClock(clock) if isinstance(clock, SystemClock) else clock


def began(clock: Clock) -> None:
    """From now on this activity goes by the server's time."""
    _BEGAN.set((activity.info().started_time, clock.monotonic()))
