"""Stays with a run while someone can be asked here: until it is over, or every open question was left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from spectra_bot.interrupts import InterruptRequest
from spectra_bot.runner import Runner
from spectra_bot.runs import RunResult, RunUpdate


class Follower:
    """Watches one run of this process; a listener, and what a prompt tells of questions it left open."""

    def __init__(self) -> None:
        self._left: set[str] = set()
        self._changed = asyncio.Event()

    def __call__(self, _update: RunUpdate) -> None:
        """Something happened."""
        self._changed.set()

    def left(self, request: InterruptRequest) -> None:
        """A question was left open."""
        self._left.add(request.id)
        self._changed.set()

    async def follow(self, runner: Runner, run_id: str, *, on_stop: Callable[[], None]) -> RunResult:
        """The run when it is over or nobody is asked here any more; at Ctrl-C, the run as it stands.

        Args:
            on_stop: called at Ctrl-C, before the runner closes.
        """
        over = asyncio.create_task(runner.wait(run_id, over=True))
        try:
            while not over.done():
                self._changed.clear()
                result = await runner.wait(run_id)
                if result.status.over or all(request.id in self._left for request in result.pending):
                    return result
                changed = asyncio.create_task(self._changed.wait())
                try:
                    await asyncio.wait({over, changed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
            return over.result()
        except asyncio.CancelledError:
            on_stop()
            return await _as_it_stands(runner, run_id)
        finally:
            over.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await over


async def until_rest(runner: Runner, run_id: str) -> RunResult:
    """The run when it rests; at Ctrl-C, the run as it stands."""
    try:
        return await runner.wait(run_id)
    except asyncio.CancelledError:
        return await _as_it_stands(runner, run_id)


async def _as_it_stands(runner: Runner, run_id: str) -> RunResult:
    details = await runner.get(run_id)
    return RunResult.model_validate({name: getattr(details, name) for name in RunResult.model_fields})
