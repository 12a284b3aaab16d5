"""Compares what was delivered with what still stands, slowly, and has the lost delivered anew."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.errors import RunNotFoundError, UnreadableRunError
from spectra_bot.interrupts import ChecksDeliveries, InterruptRequest
from spectra_bot.machine import InterruptState
from spectra_bot.retry_policy import asked_pause_s

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A question that waits, and what stands of it, as far as anybody knows."""

    request: InterruptRequest
    receipts: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    """By the handler that delivered."""


class Questions(Protocol):
    """The open questions of all runs, wherever these are."""

    def waiting(self) -> AsyncGenerator[tuple[str, str], None]:
        """Run and interrupt of each, oldest first."""
        ...

    async def standing(self, run_id: str, interrupt_id: str) -> Standing | None:
        """One of them as it is now; None where it waits no more, or another process knows better."""
        ...

    async def lose(self, run_id: str, interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue]) -> bool:
        """Store that a delivery is gone; False where that is known to be out of date."""
        ...

    async def looked(self, run_id: str, interrupt_id: str, handler: str, *, is_there: bool) -> None:
        """Somebody looked."""
        ...

    async def look_failed(self, run_id: str, interrupt_id: str, handler: str, error: Exception) -> None:
        """Somebody could not look."""
        ...


def standing_of(interrupt: InterruptState) -> Standing | None:
    """What stands of a question; None where it is over."""
    if interrupt.response is not None:
        return None
    receipts = {
        name: delivery.receipt for name, delivery in interrupt.deliveries.items() if delivery.receipt is not None
    }
    return Standing(request=interrupt.request, receipts=receipts)


class Reconciler:
    """Asks the handlers, one call at a time, whether what they delivered still stands.

    It goes through the open questions in rounds, oldest first, and keeps nothing between them: a process that starts
    anew begins with the oldest. Several processes may look at the same one; a run takes one loss only.
    """

    def __init__(self, *, handlers: Mapping[str, ChecksDeliveries], questions: Questions, clock: Clock) -> None:
        self._handlers = handlers
        self._questions = questions
        self._clock = clock

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            began = self._clock.monotonic()
            await self._go_round()
            await self._clock.sleep(max(began + ROUND_S - self._clock.monotonic(), PAUSE_S))

    async def _go_round(self) -> None:
        async with contextlib.aclosing(self._questions.waiting()) as waiting:
            async for run_id, interrupt_id in waiting:
                await self._clock.sleep(PAUSE_S)
                with contextlib.suppress(UnreadableRunError, RunNotFoundError):
                    await self._compare(run_id, interrupt_id)

    async def _compare(self, run_id: str, interrupt_id: str) -> None:
        standing = await self._questions.standing(run_id, interrupt_id)
        for name, handler in self._handlers.items():
            if standing is None:
                return
            if name in standing.receipts:
                await self._ask(handler, name, run_id, standing)
                standing = await self._questions.standing(run_id, interrupt_id)

    async def _ask(self, handler: ChecksDeliveries, name: str, run_id: str, standing: Standing) -> None:
        request, receipt = standing.request, standing.receipts[name]
        extra = {"run_id": run_id, "interrupt_id": request.id, "handler": name}
        try:
            async with asyncio.timeout(ANSWER_S):
                is_there = await handler.stands(request, receipt)
        except Exception as error:
            logger.info("delivery could not be checked", extra=extra, exc_info=True)
            await self._questions.look_failed(run_id, request.id, name, error)
            await self._clock.sleep(min(asked_pause_s(error), LONGEST_PAUSE_S))
            return
        await self._questions.looked(run_id, request.id, name, is_there=is_there)
        if not is_there and await self._questions.lose(run_id, request.id, name, receipt):
            logger.warning("delivery was lost", extra=extra)
