"""After a run was started from Slack: whoever started it hears what no thread tells them."""

from __future__ import annotations

import asyncio
import itertools
import logging

from handlers.slack.attempts import PAUSES
from handlers.slack.lists import not_taken_up
from handlers.slack.outcome import outcome
from handlers.slack.payloads import TypedCommand
from handlers.slack.whisper import Whispers
from spectra_bot import Runner, StoreError

logger = logging.getLogger(__name__)

_AFTER_THE_ACK_S = 0.5
"""So that the end of a short run stands below the word that it was started."""
_FOLLOWED_FOR_S = 20 * 60.0
"""A response url works for half an hour."""
_TAKEN_UP_WITHIN_S = 2.5


class Following:
    """Follows runs for those who started them."""

    def __init__(self, *, runner: Runner, whispers: Whispers, command: str) -> None:
        self._runner = runner
        self._whispers = whispers
        self._command = command

    async def follow(self, typed: TypedCommand, run_id: str) -> None:
        """Tell that nobody takes the run up, and the end of one that asked nothing: it has no thread to be told in."""
        try:
            await asyncio.sleep(_AFTER_THE_ACK_S)
            async with asyncio.timeout(_FOLLOWED_FOR_S):
                await self._until_taken_up(typed, run_id)
                await self._runner.wait(run_id)
            run = await self._runner.get(run_id)
            if run.status.over and not run.interrupts:
                await self._whispers.answer(outcome(run, command=self._command), typed)
        except TimeoutError:
            return
        except Exception:
            logger.exception("run not followed", extra={"run_id": run_id})

    async def _until_taken_up(self, typed: TypedCommand, run_id: str) -> None:
        """Return when somebody can say how the run stands: then somebody carries it on."""
        for tried in itertools.count(1):
            try:
                async with asyncio.timeout(_TAKEN_UP_WITHIN_S):
                    await self._runner.get(run_id)
                return
            except (TimeoutError, StoreError):
                if tried == 1:
                    logger.warning("run not taken up", extra={"run_id": run_id})
                    await self._whispers.answer(not_taken_up(run_id), typed)
            await asyncio.sleep(PAUSES.pause(tried).total_seconds())
