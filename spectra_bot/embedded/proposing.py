"""Changes that are proposed for a run: judged, and stored by its owner's hand where that is us, else from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.embedded.holdings import Holdings, Stored
from spectra_bot.embedded.journal import change
from spectra_bot.engine.proposals import Propose, propose_expiry, propose_loss
from spectra_bot.errors import LeaseLostError
from spectra_bot.machine import RunState, apply
from spectra_bot.store import Store


class Proposing:
    """Brings changes to runs that stand here, with another process, or with none."""

    def __init__(self, holdings: Holdings, *, store: Store, clock: Clock) -> None:
        self._holdings = holdings
        self._store = store
        self._clock = clock

    async def submit(self, run_id: str, propose: Propose, known: Stored | None = None) -> Any:
        """Have a change judged and stored; returns, or raises, what it came to. What is refused takes over nothing.

        Args:
            known: the run as it was loaded just now.
        """
        while True:
            run = self._holdings.here(run_id)
            try:
                if run is not None:
                    return await run.submit(propose)
                state, seq = known or await self._holdings.load(run_id)
                known = None
                events, outcome = propose(state)
                if not events and isinstance(outcome, Exception):
                    raise outcome
                if await self._holdings.own(run_id, (state, seq)) is not None:
                    continue
                after = state
                for event in events:
                    after = apply(after, event)
                if events and not await self._store.append_from_outside(change(seq, events, state, after)):
                    continue
            except LeaseLostError:
                continue
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    async def expire(self, run_id: str, interrupt_id: str) -> bool:
        """Record that the time of an interrupt is over; False where it is not yet, or somebody decided before."""
        recorded: bool = await self.submit(run_id, propose_expiry(interrupt_id, self._clock))
        return recorded

    async def lose_delivery(
        self, run_id: str, interrupt_id: str, handler: str, receipt: Mapping[str, JsonValue]
    ) -> bool:
        """Record that what a handler delivered is gone; False where it delivered anew, or somebody decided before."""
        outcome: bool = await self.submit(run_id, propose_loss(interrupt_id, handler, receipt, self._clock))
        return outcome

    async def look(self, run_id: str) -> RunState:
        """A run as it stands."""
        run = self._holdings.here(run_id)
        return run.state if run is not None else (await self._holdings.load(run_id))[0]
