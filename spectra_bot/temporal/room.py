"""What a run has carried out at once, from inside its workflow: no more than Temporal takes in one call."""

from __future__ import annotations

import asyncio

from pydantic_core import to_json
from temporalio import workflow

from spectra_bot.temporal.limits import INLINE_BYTES, MAX_TASK_BYTES


class Room:
    """The room for what activities are given, in each workflow task of a run.

    Args:
        has_place: what is large goes to a place beside Temporal, and takes no room.
    """

    def __init__(self, *, has_place: bool) -> None:
        self._has_place = has_place
        self.given = 0
        """So many bytes activities were given in all."""
        self._taken = 0
        """Of these, since the run last waited for a new workflow task."""
        self._first_comes_first = asyncio.Lock()

    async def take(self, given: object) -> None:
        """Return when there is room for what an activity is given: at once, or in a later workflow task."""
        size = len(to_json(given))
        if self._has_place and size > INLINE_BYTES:
            return
        async with self._first_comes_first:
            if self._taken and self._taken + size > MAX_TASK_BYTES:
                await workflow.sleep(0.001)  # a timer, so that the workflow task ends
                self._taken = 0
            self._taken += size
            self.given += size
