"""The log of a run inside its workflow. Pure: the same entries give the same state in each replay."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from spectra_bot.graph import Shape
from spectra_bot.machine import RunState, StaleEvent, apply, start
from spectra_bot.machine import events as e
from spectra_bot.temporal.messages import Entry, RunInput, entry_of, event_of

logger = logging.getLogger(__name__)


class Record:
    """Holds a run's newest state, and every event that led there."""

    def __init__(self, given: RunInput) -> None:
        self.shape: Shape = given.shape
        self.entries: list[Entry] = list(given.entries)
        first, *later = self.entries
        began = event_of(first, self.shape)
        assert isinstance(began, e.RunStarted), "a run's first event is its start"  # noqa: S101
        self.state: RunState = start(began)
        for entry in later:
            self.state = apply(self.state, event_of(entry))

    def add(self, events: Sequence[e.Event]) -> bool:
        """Take in what happened; all of it, or none of it where some came too late."""
        state = self.state
        try:
            for event in events:
                state = apply(state, event)
        except StaleEvent as stale:
            logger.debug("change came too late", extra={"run_id": state.run_id, "why": stale.what})
            return False
        self.state = state
        self.entries.extend(entry_of(event) for event in events)
        return bool(events)
