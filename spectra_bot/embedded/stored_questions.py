"""The open questions of all runs in a store, for those who look whether they still stand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import timedelta

from pydantic import JsonValue

from spectra_bot.clock import Clock, to_text
from spectra_bot.engine.asking import in_words
from spectra_bot.engine.reconciler import ROUND_S, Standing, standing_of
from spectra_bot.machine import RunState
from spectra_bot.store import Attempt, PendingInterrupt, Store

BATCH = 200
"""How many pending interrupts are listed at once; each run is read by itself, when its turn comes."""

Look = Callable[[str], Awaitable[RunState]]
"""The newest state of a run, wherever it is."""
TellLost = Callable[[str, str, str, Mapping[str, JsonValue]], Awaitable[bool]]
"""Stores that a delivery is gone, given run, interrupt, handler and receipt; False where that is out of date."""


class StoredQuestions:
    """Finds the questions in the store, and keeps there what came of looking. A `Questions`."""

    def __init__(self, *, store: Store, clock: Clock, look: Look, tell_lost: TellLost) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._tell_lost = tell_lost

    async def waiting(self) -> AsyncGenerator[tuple[str, str], None]:
        last: PendingInterrupt | None = None
        while page := await self._store.pending_after(last, BATCH):
            for last in page:
                yield last.run_id, last.interrupt_id

    async def standing(self, run_id: str, interrupt_id: str) -> Standing | None:
        interrupt = (await self._look(run_id)).interrupts.get(interrupt_id)
        # None where the run in memory is older than the store: another process has it by now.
        return standing_of(interrupt) if interrupt is not None else None

    async def lose(self, run_id: str, interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue]) -> bool:
        return await self._tell_lost(run_id, interrupt_id, handler, receipt)

    async def looked(self, run_id: str, interrupt_id: str, handler: str, *, is_there: bool) -> None:
        key = (interrupt_id, handler, "check")
        if key in await self._store.attempts(run_id):
            await self._store.forget_attempts(key)
        if not is_there:
            await self._store.forget_attempts((interrupt_id, handler, "deliver"))  # those of the delivery that is gone

    async def look_failed(self, run_id: str, interrupt_id: str, handler: str, error: Exception) -> None:
        key = (interrupt_id, handler, "check")
        before = (await self._store.attempts(run_id)).get(key)
        attempt = Attempt(
            attempts=before.attempts + 1 if before else 1,
            next_attempt_at=to_text(self._clock.now() + timedelta(seconds=ROUND_S)),
            last_error=in_words(error),
        )
        await self._store.failed_attempt(run_id, key, attempt)
