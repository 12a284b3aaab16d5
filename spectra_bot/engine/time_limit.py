"""A limit to how long one execution of a step may take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from spectra_bot.clock import Clock
from spectra_bot.errors import StepTimedOutError

logger = logging.getLogger(__name__)

CLEAN_UP_S = 10.0
"""How long a step may clean up that is out of time or cancelled, or whose process stops."""

Result = TypeVar("Result")
_stuck: set[asyncio.Task[Any]] = set()
"""Executions that did not stop; kept, so that what they raise at last is not lost without a word."""


async def within(timeout: timedelta, step: str, work: Coroutine[Any, Any, Result], clock: Clock) -> Result:
    """The result of some work, which is cancelled when its time is over.

    Raises:
        StepTimedOutError: it took longer; `stopped` is False where it did not let itself be cancelled.
    """
    working = asyncio.create_task(work)
    try:
        if await _done_in(timeout.total_seconds(), working, clock):
            return working.result()
        working.cancel()
        stopped = await _done_in(CLEAN_UP_S, working, clock)
    except asyncio.CancelledError:
        working.cancel()
        await asyncio.wait([working])
        raise
    if not stopped:
        _stuck.add(working)
        working.add_done_callback(_ended_late)
    elif not working.cancelled() and (error := working.exception()) is not None:
        logger.warning("step raised when it was out of time", extra={"step": step}, exc_info=error)
    raise StepTimedOutError(step, timeout, stopped=stopped)


async def _done_in(seconds: float, working: asyncio.Task[Any], clock: Clock) -> bool:
    """Wait for some work, for so long."""
    alarm = asyncio.create_task(clock.sleep(seconds))
    try:
        await asyncio.wait([working, alarm], return_when=asyncio.FIRST_COMPLETED)
    finally:
        alarm.cancel()
    return working.done()


def _ended_late(working: asyncio.Task[Any]) -> None:
    _stuck.discard(working)
    if not working.cancelled() and (error := working.exception()) is not None:
        logger.warning("step ended long after it was out of time", exc_info=error)
