"""Compares what was delivered with what still stands, slowly, and has the lost delivered anew."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from pydantic import JsonValue

from spectra_bot.clock import Clock, to_text
from spectra_bot.engine.asking import in_words
from spectra_bot.errors import RunNotFoundError, UnreadableRunError
from spectra_bot.interrupts import ChecksDeliveries
from spectra_bot.machine import InterruptState, RunState
from spectra_bot.retry_policy import asked_pause_s
from spectra_bot.store import Attempt, AttemptKey, PendingInterrupt, Store

logger = logging.getLogger(__name__)

ROUND_S = 600.0
"""How often every open question is looked at, where there are not too many for that."""
PAUSE_S = 1.0
"""The pause before each is looked at. Slack takes hundreds of these calls a minute:
https://docs.slack.dev/reference/methods/chat.getPermalink"""
LONGEST_PAUSE_S = 300.0
"""As long a pause as a handler may ask for."""
ANSWER_S = 60.0
"""How long a handler may take to look."""
BATCH = 200
"""How many pending interrupts are listed at once; each run is read by itself, when its turn comes."""

Look = Callable[[str], Awaitable[RunState]]
"""The newest state of a run, wherever it is."""
TellLost = Callable[[str, str, str, Mapping[str, JsonValue]], Awaitable[bool]]
"""Stores that a delivery is gone, given run, interrupt, handler and receipt; False where that is out of date."""


class Reconciler:
    """Asks the handlers, one call at a time, whether what they delivered still stands.

    It goes through the pending interrupts in rounds, oldest first, and keeps nothing between them: a process that
    starts anew begins with the oldest. Several processes may look at the same one; the store takes one loss only.
    """

    def __init__(
        self, *, handlers: Mapping[str, ChecksDeliveries], store: Store, clock: Clock, look: Look, tell_lost: TellLost
    ) -> None:
        self._handlers = handlers
        self._store = store
        self._clock = clock
        self._look = look
        self._tell_lost = tell_lost

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            began = self._clock.monotonic()
            await self._go_round()
            await self._clock.sleep(max(began + ROUND_S - self._clock.monotonic(), PAUSE_S))

    async def _go_round(self) -> None:
        last: PendingInterrupt | None = None
        while page := await self._store.pending_after(last, BATCH):
            for last in page:
                await self._clock.sleep(PAUSE_S)
                with contextlib.suppress(UnreadableRunError, RunNotFoundError):
                    await self._compare(last)

    async def _compare(self, pending: PendingInterrupt) -> None:
        state = await self._look(pending.run_id)
        interrupt = state.interrupts.get(pending.interrupt_id)
        if interrupt is None:
            return  # the run in memory is older than the store: another process has it by now
        for name, handler in self._handlers.items():
            delivery = interrupt.deliveries.get(name)
            if interrupt.response is None and delivery is not None and delivery.receipt is not None:
                await self._ask(handler, name, state.run_id, interrupt, delivery.receipt)

    async def _ask(
        self,
        handler: ChecksDeliveries,
        name: str,
        run_id: str,
        interrupt: InterruptState,
        receipt: Mapping[str, JsonValue],
    ) -> None:
        request = interrupt.request
        key = (request.id, name, "check")
        extra = {"run_id": run_id, "interrupt_id": request.id, "handler": name}
        try:
            async with asyncio.timeout(ANSWER_S):
                is_there = await handler.stands(request, receipt)
        except Exception as error:
            logger.info("delivery could not be checked", extra=extra, exc_info=True)
            await self._keep_error(run_id, key, error)
            await self._clock.sleep(min(asked_pause_s(error), LONGEST_PAUSE_S))
            return
        if key in await self._store.attempts(run_id):
            await self._store.forget_attempts(key)
        if not is_there:
            await self._store.forget_attempts((request.id, name, "deliver"))  # those of the delivery that is gone
            if await self._tell_lost(run_id, request.id, name, receipt):
                logger.warning("delivery was lost", extra=extra)

    async def _keep_error(self, run_id: str, key: AttemptKey, error: Exception) -> None:
        before = (await self._store.attempts(run_id)).get(key)
        attempt = Attempt(
            attempts=before.attempts + 1 if before else 1,
            next_attempt_at=to_text(self._clock.now() + timedelta(seconds=ROUND_S)),
            last_error=in_words(error),
        )
        await self._store.failed_attempt(run_id, key, attempt)
