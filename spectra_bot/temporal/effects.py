"""What `once` does in an activity: an effect that has begun is ended and kept, whatever becomes of its step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pydantic import JsonValue
from temporalio import activity

from spectra_bot.clock import Clock
from spectra_bot.engine.effects import done
from spectra_bot.engine.step_call import StepCall
from spectra_bot.errors import LeaseLostError, OnceResultError, SpectraError
from spectra_bot.machine import events as e
from spectra_bot.temporal.messages import KeptEffect
from spectra_bot.temporal.own_run import OwnRun

logger = logging.getLogger(__name__)


class StepEffects:
    """The effects of one execution of a step, each in a task of its own.

    Args:
        report: shows progress to whoever listens in this process.
    """

    def __init__(
        self,
        call: StepCall,
        *,
        run: OwnRun,
        clock: Clock,
        max_payload_bytes: int,
        report: Callable[[float | None, str, str | None], None],
    ) -> None:
        self.run = run
        self._call = call
        self._clock = clock
        self._limit = max_payload_bytes
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
        if not await self.run.is_ours():
            raise LeaseLostError(self._call.run_id)
        if (known := await self._kept_elsewhere(key)) is not None:
            return _told(key, known)
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
        await self.run.keep(
            e.OnceStored(at=self._clock.now(), step=call.step, visit=call.visit, key=key, value=stored, problem=problem)
        )
        return _told(key, await self._kept_elsewhere(key) or KeptEffect(value=stored, problem=problem))

    async def _kept_elsewhere(self, key: str) -> KeptEffect | None:
        """What the run has of an effect, where a worker was taken for dead in this step: that one may store it yet."""
        return await self.run.kept(self._call, key) if self._call.is_taken_over else None

    def _ended(self, task: asyncio.Task[JsonValue]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("effect failed", exc_info=error, extra={"run_id": self._call.run_id, "step": self._call.step})


def _told(key: str, effect: KeptEffect) -> JsonValue:
    if effect.problem is not None:
        raise OnceResultError(key, effect.problem)
    return effect.value
