"""What `once` does in an activity: an effect that has begun is ended and kept, whatever becomes of its step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import JsonValue
from temporalio import activity

from spectra_bot.clock import Clock
from spectra_bot.engine.effects import done
from spectra_bot.engine.step_call import StepCall
from spectra_bot.errors import LeaseLostError, OnceResultError, SpectraError
from spectra_bot.machine import events as e

logger = logging.getLogger(__name__)


class StepEffects:
    """The effects of one execution of a step, each in a task of its own.

    Args:
        is_ours: tells whether this execution still counts.
        keep: returns when an event is part of the run's history in Temporal.
        report: shows progress to whoever listens in this process.
    """

    def __init__(
        self,
        call: StepCall,
        *,
        clock: Clock,
        max_payload_bytes: int,
        keep: Callable[[e.Event], Awaitable[None]],
        is_ours: Callable[[], Awaitable[bool]],
        report: Callable[[float | None, str, str | None], None],
    ) -> None:
        self._call = call
        self._clock = clock
        self._limit = max_payload_bytes
        self._keep = keep
        self._is_ours = is_ours
        self._report = report
        self._under_way: set[asyncio.Task[JsonValue]] = set()

    @property
    def under_way(self) -> bool:
        """An effect has begun and not ended."""
        return bool(self._under_way)

    async def once(self, key: str, fn: Callable[[], object]) -> JsonValue:
        """Do an effect and return its result, which is stored by then.

        Raises:
            OnceResultError: it was done, and its result can't be stored.
            LeaseLostError: the step runs anew elsewhere, because this worker was silent; nothing was begun.
            SpectraError: the step was cancelled; nothing was begun.
        """
        if activity.is_cancelled():
            raise SpectraError(f"once({key!r}) was not begun: step {self._call.step} is cancelled")
        if not await self._is_ours():
            raise LeaseLostError(self._call.run_id)
        task = asyncio.create_task(self._do(key, fn))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def report(self, fraction: float | None, text: str, about: str | None) -> None:
        """Show progress."""
        self._report(fraction, text, about)

    async def ended(self) -> None:
        """Return when no effect is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def cancel(self) -> None:
        """Stop what is under way; it may be done again."""
        for task in self._under_way:
            logger.warning("effect did not end in time", extra={"run_id": self._call.run_id})
            task.cancel()

    async def _do(self, key: str, fn: Callable[[], object]) -> JsonValue:
        call = self._call
        stored, problem = await done(fn, f"once {key!r} of {call.step}", self._limit)
        await self._keep(
            e.OnceStored(at=self._clock.now(), step=call.step, visit=call.visit, key=key, value=stored, problem=problem)
        )
        if problem is not None:
            raise OnceResultError(key, problem)
        return stored

    def _ended(self, task: asyncio.Task[JsonValue]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("effect failed", exc_info=error, extra={"run_id": self._call.run_id, "step": self._call.step})
