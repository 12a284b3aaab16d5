"""What `once` does: an effect that has begun is ended and kept, whatever becomes of the step that began it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.embedded.ownership import Pulse
from spectra_bot.embedded.run_log import RunLog
from spectra_bot.engine.effects import done
from spectra_bot.errors import (
    LeaseLostError,
    OnceResultError,
    SpectraError,
)
from spectra_bot.machine import Phase
from spectra_bot.machine import events as e

logger = logging.getLogger(__name__)

_Key = tuple[str, int, str]
"""Step, visit and key."""


class RunEffects:
    """The effects of one run that are under way, each in a task of its own.

    Args:
        quiet: told when one has ended.
    """

    def __init__(
        self, log: RunLog, *, clock: Clock, pulse: Pulse, max_payload_bytes: int, quiet: Callable[[], None]
    ) -> None:
        self._log = log
        self._clock = clock
        self._pulse = pulse
        self._limit = max_payload_bytes
        self._quiet = quiet
        self._lapses = pulse.lapses
        self._under_way: dict[_Key, asyncio.Task[JsonValue]] = {}

    @property
    def is_busy(self) -> bool:
        """An effect is under way."""
        return bool(self._under_way)

    async def once(self, step: str, visit: int, key: str, fn: Callable[[], object]) -> JsonValue:
        """Do an effect, or join the one under way, and return its result as it is stored by then.

        Raises:
            OnceResultError: it was done, and its result can't be stored.
            LeaseLostError: another process has the run; nothing was begun.
            SpectraError: the step is not running any more; nothing was begun.
        """
        place = (step, visit, key)
        task = self._under_way.get(place)
        if task is None:
            await self._older_visits_end(step, visit, key)
            node = self._log.state.nodes[step]
            if node.visit == visit and key in node.once:
                return node.once[key]
            await self._may_begin(step, visit, key)
            task = self._under_way.get(place)
        if task is None:
            task = self._under_way[place] = asyncio.create_task(self._do(step, visit, key, fn))
            task.add_done_callback(lambda ended: self._ended(place, ended))
        return await asyncio.shield(task)

    def cancel(self) -> None:
        """Stop what is under way: another process has the run, and does it all again."""
        for task in self._under_way.values():
            task.cancel()

    async def close(self, grace_s: float) -> None:
        """Let what is under way end, for so long; what is cancelled then may be done again."""
        if self._under_way:
            _, late = await asyncio.wait(list(self._under_way.values()), timeout=grace_s)
            for task in late:
                logger.warning("effect did not end in time", extra={"run_id": self._log.state.run_id})
                task.cancel()

    async def _older_visits_end(self, step: str, visit: int, key: str) -> None:
        """Wait for the same effect of an older visit, so that it is never done beside itself."""
        older = [
            task for place, task in self._under_way.items() if (place[0], place[2]) == (step, key) and place[1] < visit
        ]
        if older:
            await asyncio.wait(older)

    async def _may_begin(self, step: str, visit: int, key: str) -> None:
        if self._log.lost:
            raise LeaseLostError(self._log.state.run_id)
        if not self._pulse.is_fresh(self._clock.monotonic()) or self._pulse.lapses != self._lapses:
            lapses = self._pulse.lapses
            if not await self._log.is_ours():
                raise LeaseLostError(self._log.state.run_id)
            self._lapses = lapses
        node = self._log.state.nodes[step]
        if node.visit != visit or node.phase is not Phase.RUNNING:
            raise SpectraError(f"once({key!r}) was not begun: step {step} is {node.phase.value}, visit {node.visit}")

    async def _do(self, step: str, visit: int, key: str, fn: Callable[[], object]) -> JsonValue:
        stored, problem = await done(fn, f"once {key!r} of {step}", self._limit)
        now = self._clock.now()
        await self._log.keep(e.OnceStored(at=now, step=step, visit=visit, key=key, value=stored, problem=problem))
        if problem is not None:
            raise OnceResultError(key, problem)
        return stored

    def _ended(self, place: _Key, task: asyncio.Task[JsonValue]) -> None:
        del self._under_way[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("effect failed", exc_info=error, extra={"run_id": self._log.state.run_id, "step": place[0]})
        self._quiet()
