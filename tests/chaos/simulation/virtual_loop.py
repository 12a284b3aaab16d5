"""An event loop without real time: it jumps to the next timer, and a seed decides which ready callback is next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
FIRST_MOMENT_S = 1000.0


class Lane:
    """A thread of a simulated process: what is scheduled in its context stops and dies with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self._held: list[tuple[Lane, asyncio.Handle]] | None = None

    def hold(self) -> None:
        """Let nothing of it run until it is let go: what falls due meanwhile waits."""
        if self._held is None:
            self._held = []

    def keeps(self, handle: asyncio.Handle) -> bool:
        """Take a callback that may not run now; False if it may."""
        if self._held is not None:
            self._held.append((self, handle))
        return self.dead or self._held is not None

    def let_go(self) -> list[tuple[Lane, asyncio.Handle]]:
        """Run again; returns what fell due meanwhile, in its order."""
        held, self._held = self._held or [], None
        return held


LANE: ContextVar[Lane | None] = ContextVar("lane", default=None)
"""The thread that a callback belongs to; None is the world outside of all processes."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks one at a time in an order that a seed decides, and takes no time for it.

    Args:
        disorder: how likely the next callback is any of the ready ones, and not the oldest.
    """

    def __init__(self, random: Random, *, disorder: float) -> None:
        super().__init__()
        self._random = random
        self._disorder = disorder
        self._moment_s = FIRST_MOMENT_S
        self._at_once: list[tuple[Lane | None, asyncio.Handle]] = []
        self._later: list[tuple[float, int, Lane | None, asyncio.TimerHandle]] = []
        self._count = itertools.count()
        self._kept: list[asyncio.Task[Any]] = []
        self.complaints: list[str] = []
        """What nobody caught."""
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._moment_s

    def call_soon(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, copy_context() if context is None else context)
        lane = context.get(LANE, None) if context is not None else LANE.get()
        if not self.is_closed():
            self._at_once.append((lane, handle))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, copy_context() if context is None else context)
        lane = context.get(LANE, None) if context is not None else LANE.get()
        heapq.heappush(self._later, (when, next(self._count), lane, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep a complaint; that tasks of the dead never end is none."""
        if not self.is_closed() and "destroyed but it is pending" not in context["message"]:
            self.complaints.append(f"{context['message']}: {context.get('exception')!r}")

    def _write_to_self(self) -> None:
        """Nobody has to be woken: it never sleeps. Generators of the dead that are collected ask for it."""

    def let_go(self, lane: Lane) -> None:
        """Let a lane that was held run again."""
        self._at_once.extend(lane.let_go())

    def end(self) -> None:
        """Close the loop, and end what is left of every task without letting it do anything more."""
        self.close()
        for task in self._kept:
            if not task.done():
                _end(task)
        self._kept.clear()
        self._at_once.clear()
        self._later.clear()

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Result] | Generator[Any, None, Result],
        **options: Any,
    ) -> asyncio.Task[Result]:
        # Kept, for a task that is collected closes its coroutine, whose cleanup would run at nobody's moment.
        task = asyncio.Task(work, loop=loop, **options)
        self._kept.append(task)
        return task

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is thrown away when it is met."""

    def _run_once(self) -> None:
        ready = self._at_once
        while not ready:
            self._jump()
        index = 0
        if len(ready) > 1 and self._random.random() < self._disorder:
            index = int(self._random.random() * len(ready))
        lane, handle = ready.pop(index)
        if not handle.cancelled() and not (lane is not None and lane.keeps(handle)):
            handle._run()

    def _jump(self) -> None:
        """Go to the moment of the next timer."""
        assert self._later, "nothing is left to happen"
        when, _, lane, handle = heapq.heappop(self._later)
        if not handle.cancelled() and not (lane is not None and lane.dead):
            self._moment_s = max(self._moment_s, when)
            self._at_once.append((lane, handle))


def _end(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # its process died: nothing waits for it
    coroutine = task.get_coro()
    for _ in range(10):
        try:
            coroutine.close()
        except (RuntimeError, AttributeError):  # its cleanup waits for something
            continue
        return
