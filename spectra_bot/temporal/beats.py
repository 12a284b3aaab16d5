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


@contextlib.asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Tell Temporal that this activity lives, as often as its heartbeat timeout needs; it hears of cancels by that."""
    timeout = activity.info().heartbeat_timeout
    assert timeout is not None, "every activity of ours has one"  # noqa: S101

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(beat_s(timeout.total_seconds()))

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
