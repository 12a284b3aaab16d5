"""Questions that were asked together, put in front of people together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace

from spectra_bot.machine import RunState
from spectra_bot.machine import events as e

Work = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Delivers questions of a group in one go, by their ids; tells which, and at least one."""
Until = Callable[[Callable[[], bool]], Awaitable[None]]
"""Waits until something is so, and not for long."""


def in_groups(asked: Sequence[e.InterruptRaised]) -> list[e.InterruptRaised]:
    """The questions of one execution, with the id of the first of each group as the group's name; alone, none."""
    firsts: dict[str, str] = {}
    counts: dict[str, int] = {}
    for one in asked:
        if one.request.group is not None:
            firsts.setdefault(one.request.group, one.request.id)
            counts[one.request.group] = counts.get(one.request.group, 0) + 1

    def grouped(one: e.InterruptRaised) -> e.InterruptRaised:
        given = one.request.group
        if given is None:
            return one
        group = firsts[given] if counts[given] > 1 else None
        return replace(one, request=one.request.model_copy(update={"group": group}))

    return [grouped(one) for one in asked]


def undelivered(state: RunState, group: str, handler: str) -> list[str]:
    """The open questions of a group that a handler has not had yet, in the order they were asked."""
    return [
        interrupt.request.id
        for interrupt in state.pending()
        if interrupt.request.group == group and handler not in interrupt.deliveries and handler not in interrupt.lost
    ]


@dataclass(slots=True, kw_only=True)
class _Turn:
    there: list[str] = field(default_factory=list)
    """Those that wait for it and may still be taken in, or were."""
    waiting: int = 0
    has_begun: bool = False
    task: asyncio.Task[Collection[str]] | None = None


class GroupTurns:
    """Has a group's questions wait for each other, each when its turn with a handler comes, and go on as one.

    What has begun goes on while anybody waits for it: a question that is answered meanwhile does not stop the others.

    Args:
        until: how the first waits for the others; those that come later have a turn of their own.
    """

    def __init__(self, until: Until) -> None:
        self._until = until
        self._turns: dict[Hashable, _Turn] = {}

    async def deliver(
        self, key: Hashable, interrupt_id: str, *, expected: Callable[[], Sequence[str]], work: Work
    ) -> None:
        """Return when a question is delivered, together with those of its group that are there, or is over.

        Args:
            key: the group and the handler.
            expected: the questions of the group that the handler is yet to have, in order.

        Raises:
            Exception: what the work raised, to each of those that it was done for.
        """
        while interrupt_id in expected():
            if interrupt_id in await self._come(key, interrupt_id, expected, work):
                return

    async def _come(
        self, key: Hashable, interrupt_id: str, expected: Callable[[], Sequence[str]], work: Work
    ) -> Collection[str]:
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn()
            turn.task = asyncio.create_task(self._carry(key, turn, expected, work))
        assert turn.task is not None, "it is made with the turn"  # noqa: S101
        turn.there.append(interrupt_id)
        turn.waiting += 1
        try:
            await asyncio.wait([turn.task])
        except asyncio.CancelledError:
            turn.waiting -= 1
            if not turn.has_begun:
                turn.there.remove(interrupt_id)
            if not turn.waiting:
                await _stopped(turn.task)
            raise
        return turn.task.result()

    async def _carry(
        self, key: Hashable, turn: _Turn, expected: Callable[[], Sequence[str]], work: Work
    ) -> Collection[str]:
        try:
            await self._until(lambda: set(expected()) <= set(turn.there))
        finally:
            turn.has_begun = True
            del self._turns[key]
        batch = [interrupt_id for interrupt_id in expected() if interrupt_id in turn.there]
        return await work(batch) if batch else ()


async def _stopped(task: asyncio.Task[Collection[str]]) -> None:
    """Stop a turn for which nobody waits any more; what it has done until then is stored."""
    task.cancel()
    await asyncio.wait([task])
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()  # nobody is left to be told
