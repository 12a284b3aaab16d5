"""An activity's sign of life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

BEATS = 6
"""So many beats in a lease."""


def beat_s(lease_s: float) -> float:
    """The pause between two beats."""
    return lease_s / BEATS


class Pulse:
    """When an activity last gave a sign of life."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    def beat(self) -> None:
        """It lives now."""
        activity.heartbeat()
        self._last = self._loop.time()

    @property
    def is_fresh(self) -> bool:
        """Nobody can have taken it for dead: its event loop did not stand still for as long as that takes."""
        return self._loop.time() - self._last < self._lease_s / 2


@contextlib.asynccontextmanager
async def beating() -> AsyncIterator[Pulse]:
    """Tell Temporal that this activity lives, as often as its heartbeat timeout needs; it hears of cancels by that."""
    timeout = activity.info().heartbeat_timeout
    assert timeout is not None, "every activity of ours has one"  # noqa: S101

    pulse = Pulse(timeout.total_seconds())

    async def beat() -> None:
        while True:
            await asyncio.sleep(beat_s(timeout.total_seconds()))  # its start was a sign of life
            pulse.beat()

    task = asyncio.create_task(beat())
    try:
        yield pulse
    finally:
        task.cancel()
