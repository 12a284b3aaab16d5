"""How late the event loop is: what a click waits for before anything looks at it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import quantiles

TICK_S = 0.002


@asynccontextmanager
async def lags() -> AsyncIterator[list[float]]:
    """The seconds by which each of many short sleeps took longer, while the block runs."""
    found: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            wakes = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            found.append(max(loop.time() - wakes, 0.0))

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        await asyncio.sleep(TICK_S * 2)
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking


def in_words(seconds: Sequence[float]) -> str:
    """p50, p99 and the longest, in milliseconds."""
    percentiles = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds] * 99
    return f"p50 {percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.1f} ms, max {max(seconds) * 1000:.1f} ms"
