"""Waits for runs: looks at one soon after it was closed or something of it ended here, else less and less often."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from temporalio.client import WorkflowQueryFailedError

from spectra_bot.engine.asking import HANDLERS_S
from spectra_bot.errors import NotFollowedError, PlaceError, RunNotFoundError, StoreError
from spectra_bot.runs import RunResult, RunStatus
from spectra_bot.temporal.calls import RunCalls
from spectra_bot.temporal.messages import Rest

logger = logging.getLogger(__name__)

UNANSWERED_S = 30.0
"""How long a wait goes on where nobody ever said how the run stands: no worker runs, say."""
FIRST_LOOK_S = 0.02
"""A look is a query, which some worker has to take."""
MAX_LOOK_S = 1.0
"""The longest pause between two looks at a run that is waited for."""


class Waiting:
    """Knows who waits for which run."""

    def __init__(self, calls: RunCalls) -> None:
        self._calls = calls
        self._watchers: dict[str, set[asyncio.Event]] = {}

    async def until_rest(self, run_id: str, *, over: bool) -> tuple[RunResult, int]:
        """Return when a run rests: how it stands, and how many events it has by then.

        Args:
            over: wait until the run is completed, failed or cancelled instead.

        Raises:
            RunNotFoundError: no such run.
            StoreError: nobody ever said how it stands, or Temporal ended it where it stands.
        """
        changed = asyncio.Event()
        self._watchers.setdefault(run_id, set()).add(changed)
        closing = asyncio.create_task(self._closed(run_id))
        closing.add_done_callback(lambda _: changed.set())
        try:
            return await self._rested(run_id, changed, closing, over=over)
        finally:
            closing.cancel()
            self._watchers[run_id].discard(changed)
            if not self._watchers[run_id]:
                del self._watchers[run_id]

    def activity_ended(self, run_id: str) -> None:
        """Something of a run ended in this process, so it may rest soon."""
        for changed in self._watchers.get(run_id, ()):
            changed.set()

    async def _rested(
        self, run_id: str, changed: asyncio.Event, closing: asyncio.Task[str | None], *, over: bool
    ) -> tuple[RunResult, int]:
        pause = first = MAX_LOOK_S if over else FIRST_LOOK_S  # of its end Temporal tells by itself
        asking_since: float | None = None
        gives_up_at: float | None = _now() + UNANSWERED_S
        while True:
            changed.clear()
            ended_by = closing.result() if closing.done() else None
            rest = await self._look(run_id, is_last=gives_up_at is not None and _now() > gives_up_at)
            if rest is not None:
                gives_up_at = None
                rests = rest.status.over if over else rest.status is not RunStatus.RUNNING
                asking_since = asking_since or _now()
                asked = not rest.is_asking or _now() - asking_since > HANDLERS_S
                if rest.result is not None and rests and not rest.is_ending and asked:
                    return rest.result, rest.seq
                if not rests:
                    asking_since = None
                if not rest.status.over and ended_by is not None:
                    raise StoreError(
                        f"run {run_id} does not go on: it was ended in Temporal from outside ({ended_by}); see what "
                        "it has done, and start another"
                    )
            try:
                await asyncio.wait_for(changed.wait(), pause)
                pause = first
            except TimeoutError:
                pause = min(pause * 2, MAX_LOOK_S)

    async def _closed(self, run_id: str) -> str | None:
        """Return when a run is closed: who ended it. Temporal tells that by itself, and sooner than a look would."""
        try:
            return await self._calls.closed(run_id)
        except (StoreError, RunNotFoundError):
            logger.debug("run's end is not watched", extra={"run_id": run_id}, exc_info=True)  # looks go on
            return None

    async def _look(self, run_id: str, *, is_last: bool) -> Rest | None:
        """Whether a run rests; None while nobody can say."""
        try:
            rest: Rest = await self._calls.ask(run_id, "rest", result_type=Rest)
        except StoreError as error:
            if is_last or isinstance(error, PlaceError) or isinstance(error.__cause__, WorkflowQueryFailedError):
                raise  # or it is there, and what it says can't be brought here
            logger.warning("run could not be asked", extra={"run_id": run_id}, exc_info=True)
            return None
        return rest


@contextlib.contextmanager
def followed(run_id: str) -> Iterator[None]:
    """What is asked of a run after a change of it that is stored.

    Raises:
        NotFollowedError: nobody could say how it stands.
    """
    try:
        yield
    except StoreError as error:
        raise NotFollowedError(run_id, error) from error


def _now() -> float:
    return asyncio.get_running_loop().time()
