"""The world outside of all processes: what was done to it and said in it, which no crash takes back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from spectra_bot import InterruptRequest, InterruptResponse, RunResult, StepContext
from tests.chaos.simulation.virtual_loop import LANE

Event = tuple[str, int, str]
"""A stored event: run, number, kind."""


@dataclass(slots=True, kw_only=True)
class Execution:
    """One time that a step's code ran."""

    run_id: str
    step: str
    visit: int
    process: str
    at: float
    seen: list[tuple[str, str, str | None]]
    """The answers it was given: interrupt, status, option."""


@dataclass(slots=True, kw_only=True)
class Effect:
    """Something that was done to the world inside `once`."""

    run_id: str
    step: str
    visit: int
    key: str
    process: str
    at: float


@dataclass(slots=True, kw_only=True)
class Message:
    """A question as it stands in front of people."""

    number: int
    request: InterruptRequest
    process: str
    at: float
    shown: InterruptResponse | None = None
    """How it was closed."""
    settled_at: float | None = None
    concluded: str | None = None
    is_removed: bool = False
    """Someone deleted it; nobody can answer there."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What someone wanted of a process, and what they were told."""

    what: Literal["start", "answer", "cancel", "retry"]
    name: str
    """The run, or the interrupt."""
    by: str
    at: float
    outcome: Literal["acked", "refused", "failed", "unheard"] = "unheard"
    heard_at: float = 0.0
    answer: InterruptResponse | None = None
    error: Exception | None = None


@dataclass(slots=True, kw_only=True)
class Commit:
    """One transaction that stored events; each with the owner that its run had then."""

    at: float
    process: str
    owner_id: str
    events: list[tuple[Event, str | None]]


@dataclass(slots=True, kw_only=True)
class Life:
    """One process, from its start to its end."""

    name: str
    owner_id: str
    began_at: float
    ended_at: float | None = None
    stood_still: list[tuple[float, float]] = field(default_factory=list)
    """When it was stopped, or its disk failed: it may have lost its runs in these times."""


class Outside:
    """Remembers, in the order of what happened.

    Args:
        now: the moment of the simulation.
        posted: told of each new message.
        concluded: told how a run ended.
    """

    def __init__(
        self,
        *,
        random: Random,
        now: Callable[[], float],
        posted: Callable[[Message], None],
        concluded: Callable[[Message, RunResult], None],
    ) -> None:
        self.random = random
        self.now = now
        self.handler_trouble = 0.0
        """How likely a handler fails, hangs, or fails after it has posted."""
        self.executions: list[Execution] = []
        self.effects: list[Effect] = []
        self.messages: list[Message] = []
        self.told: list[Told] = []
        self.commits: list[Commit] = []
        self.lives: dict[str, Life] = {}
        self.asked: list[tuple[float, str]] = []
        """When a handler was given which interrupt."""
        self.counts: dict[str, int] = {}
        self._posted = posted
        self._concluded = concluded
        self._trace = hashlib.sha256()

    @property
    def digest(self) -> str:
        """A fingerprint of all that happened, in its order."""
        return self._trace.hexdigest()

    def note(self, *words: object) -> None:
        """Have something count in the fingerprint."""
        self._trace.update(f"{self.now():.6f} {words}\n".encode())

    def executing(self, ctx: StepContext) -> None:
        """A step's code runs."""
        seen = [
            (response.interrupt_id or "", response.status.value, response.option) for response in ctx.responses.values()
        ]
        self.note("executing", ctx.run_id, ctx.step, ctx.visit, here())
        self.executions.append(
            Execution(run_id=ctx.run_id, step=ctx.step, visit=ctx.visit, process=here(), at=self.now(), seen=seen)
        )

    def does(self, ctx: StepContext, key: str) -> int:
        """An effect happens; returns the how manieth it is of all."""
        self.note("does", ctx.run_id, ctx.step, ctx.visit, key, here())
        self.effects.append(
            Effect(run_id=ctx.run_id, step=ctx.step, visit=ctx.visit, key=key, process=here(), at=self.now())
        )
        return len(self.effects)

    def post(self, request: InterruptRequest) -> Message:
        """A question stands in front of people from now on."""
        self.note("post", request.id, here())
        message = Message(number=len(self.messages), request=request, process=here(), at=self.now())
        self.messages.append(message)
        self._posted(message)
        return message

    def remove(self, message: Message) -> None:
        """Someone deletes a message whose question may still be open."""
        self.note("remove", message.number)
        message.is_removed = True

    def settle(self, number: int, response: InterruptResponse) -> None:
        """A message shows that its question is over."""
        self.note("settle", number, response.status, here())
        self.messages[number].shown = response
        self.messages[number].settled_at = self.now()

    def conclude(self, number: int, result: RunResult) -> None:
        """A message tells how its run ended."""
        self.note("conclude", number, result.status, here())
        self.messages[number].concluded = result.status
        self._concluded(self.messages[number], result)

    def committed(self, process: str, owner_id: str, events: list[tuple[Event, str | None]]) -> None:
        """A transaction with events is on disk."""
        self.note("commit", process, events)
        self.commits.append(Commit(at=self.now(), process=process, owner_id=owner_id, events=events))

    def count(self, name: str) -> int:
        """How often this was asked for by that name, this time included."""
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]

    async def moment(self, longest_s: float = 0.3) -> None:
        """Let something else happen, mostly for a short time."""
        chance = self.random.random()
        await asyncio.sleep(0 if chance < 0.5 else longest_s * self.random.random())


OUTSIDE: ContextVar[Outside] = ContextVar("outside")
"""The world in which this code runs."""


def here() -> str:
    """The process in which this code runs."""
    lane = LANE.get()
    return lane.name if lane is not None else "world"
