"""Answers under way: each is given until the store takes it, one at a time by each person to each question."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from spectra_bot import NotRecordedError, RetryPolicy, StoreError

logger = logging.getLogger(__name__)

_Found = TypeVar("_Found")

SOON_S = 1.8
"""After so long an answer is not recorded in time. A click has 3 s in all, and its giver is told before it is acked:
https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response"""
GIVEN_UP_AFTER_S = 3600.0
PAUSES = RetryPolicy(first_pause=timedelta(seconds=1), longest_pause=timedelta(seconds=15))
"""Between two attempts; each may itself wait for ten seconds until somebody takes it."""


def soon() -> float:
    """When an answer that begins now is late, by the event loop's clock."""
    return asyncio.get_running_loop().time() + SOON_S


class Attempts(Generic[_Found]):
    """One answer, given again while the store does not take it: the same each time, so that it counts once.

    What is under way when the block ends is stopped, and may be recorded all the same.
    """

    def __init__(self, label: str, give: Callable[[], Coroutine[Any, Any, _Found]]) -> None:
        self.label = label
        self.is_over = asyncio.Event()
        """Nothing of it is under way: it came to something, or was given up."""
        self._give = give
        self._under_way: asyncio.Task[_Found]

    async def __aenter__(self) -> Self:
        self._under_way = asyncio.create_task(self._give())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way.cancel()
        await asyncio.gather(self._under_way, return_exceptions=True)
        self.is_over.set()

    async def outcome_by(self, until: float) -> _Found | None:
        """What the answer came to; None where it is not recorded by then.

        Any error but "not recorded" is raised: the store refused it, say, and it is not given again by itself.
        """
        await asyncio.wait({self._under_way}, timeout=max(until - _now(), 0.0))
        if not self._under_way.done():
            return None
        try:
            found = self._under_way.result()
        except NotRecordedError:
            return None
        self.is_over.set()
        return found

    async def outcome(self) -> _Found | None:
        """What the answer came to at last; None where it was given up.

        Any error but a store's is raised.
        """
        given_up_at = _now() + GIVEN_UP_AFTER_S
        tried = 1
        try:
            while True:
                try:
                    return await self._under_way
                except StoreError as error:
                    logger.info("answer not taken", extra={"tried": tried, "why": str(error)})
                pause = PAUSES.pause(tried).total_seconds()
                if _now() + pause > given_up_at:
                    return None
                await asyncio.sleep(pause)
                self._under_way = asyncio.create_task(self._give())
                tried += 1
        finally:
            self.is_over.set()


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier answer of the same person to the same question, which is still under way."""

    label: str


class Turns:
    """Has each person give one answer to a question at a time.

    An answer that is under way can't be called back, so while it is, another of the same person is not begun: else
    both could be told something that does not hold. Different processes are kept apart by the judge alone.
    """

    def __init__(self) -> None:
        self._at_it: dict[tuple[str, str], Attempts[Any]] = {}

    @contextlib.asynccontextmanager
    async def begin(
        self,
        key: tuple[str, str],
        label: str,
        give: Callable[[], Coroutine[Any, Any, _Found]],
        *,
        until: float,
    ) -> AsyncIterator[Attempts[_Found] | Earlier]:
        """Begin to give an answer when an earlier one is over; yields that one if it is not over by then.

        Args:
            key: the interrupt and the person.
        """
        while (earlier := self._at_it.get(key)) is not None and not earlier.is_over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await earlier.is_over.wait()
                    continue
            yield Earlier(earlier.label)
            return
        mine = self._at_it[key] = Attempts(label, give)
        try:
            async with mine:
                yield mine
        finally:
            if self._at_it.get(key) is mine:
                del self._at_it[key]


def _now() -> float:
    return asyncio.get_running_loop().time()
