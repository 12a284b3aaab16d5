"""Where a run stands: everything that decides what happens next, and nothing that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pydantic import JsonValue

from spectra_bot.context import Question, Slot
from spectra_bot.graph import Shape
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.json_values import Path
from spectra_bot.runs import RunStatus


class StaleEvent(Exception):  # noqa: N818  it is no error: the engine drops what comes too late
    """The event does not fit the state: what it speaks of is over."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Phase(StrEnum):
    """Where a step stands in its visit."""

    WAITING = "waiting"
    JUDGING = "judging"
    RUNNING = "running"
    RETRYING = "retrying"
    PARKED = "parked"
    DECIDING = "deciding"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


_Value = TypeVar("_Value", bound="NodeState | RunState | InterruptState")


def evolve(value: _Value, **changes: object) -> _Value:
    """A copy with other values in some fields: `dataclasses.replace`, at a tenth of its time.

    An event takes several copies, so this is most of what `apply` costs. It needs a class without slots, and checks
    no names.
    """
    copy = object.__new__(type(value))
    fields = copy.__dict__
    fields.update(value.__dict__)
    fields.update(changes)
    return copy


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """One step in its newest visit."""

    phase: Phase = Phase.WAITING
    visit: int = 1
    errors: int = 0
    tried: int = 0
    """How many of the errors came since a person last set it going: what a retry policy counts."""
    pausing: tuple[datetime, datetime] | None = None
    """Since when and until when it waits after an error."""
    crashes: int = 0
    took: str | None = None
    """The option that a gate took, if it is routed; None: it went on."""
    waits_for: tuple[str, ...] = ()
    """The interrupts of its last execution; it runs again when none of them is pending."""
    slots: Mapping[Slot, str] = field(default_factory=dict)
    """The newest interrupt of each question of this visit."""
    once: Mapping[str, JsonValue] = field(default_factory=dict)
    spoiled: Mapping[str, str] = field(default_factory=dict)
    """Why the result of an effect is not there, by key."""
    stopped_in: Phase | None = None
    """The phase in which it failed or was cancelled: where a retry sets in."""
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_working(self) -> bool:
        """The engine has code of it to run, now or when its pause is over."""
        phase = self.phase
        return phase is Phase.RUNNING or phase is Phase.JUDGING or phase is Phase.DECIDING or phase is Phase.RETRYING


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a handler did with an interrupt."""

    receipt: Mapping[str, JsonValue] | None
    delivered_at: datetime
    settled_at: datetime | None = None

    @property
    def settled(self) -> bool:
        """The handler showed people that the interrupt is over."""
        return self.settled_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a handler delivered and what is gone from there since."""

    receipt: Mapping[str, JsonValue]
    times: int = 1
    """How often that has happened to this handler with this interrupt."""


@dataclass(frozen=True, kw_only=True)
class InterruptState:
    """One interrupt, pending while it has no response."""

    request: InterruptRequest
    step: str
    visit: int
    slot: Slot
    changes: int = 0
    response: InterruptResponse | None = None
    over_before: int = 0
    """How many interrupts of its run were over when it was answered."""
    closed_why: str | None = None
    superseded_by: str | None = None
    """The interrupt that stands in for this one, because the question changed."""
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    lost: Mapping[str, Loss] = field(default_factory=dict)
    """The newest loss of each handler; also once it has delivered anew."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run, rebuilt at any time by applying its events in order."""

    run_id: str
    workflow: str
    shape: Shape
    inputs: Mapping[str, JsonValue]
    requested_by: str | None
    channel: str | None
    secrets: tuple[Path, ...] = ()
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    error: str | None = None
    nodes: Mapping[str, NodeState]
    working: tuple[str, ...] = ()
    """The steps of which the engine has code to run, now or later, in the order of the graph; none once it is over."""
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    interrupts: Mapping[str, InterruptState] = field(default_factory=dict)
    concluded: frozenset[str] = frozenset()

    def pending(self) -> list[InterruptState]:
        """The interrupts that wait for an answer, in the order they were asked."""
        return [interrupt for interrupt in self.interrupts.values() if interrupt.response is None]

    def questions(self, step: str) -> dict[Slot, Question]:
        """What a step's context knows of its earlier questions in this visit."""
        found = {}
        for slot, interrupt_id in self.nodes[step].slots.items():
            interrupt = self.interrupts[interrupt_id]
            found[slot] = Question(
                slot=slot,
                request=interrupt.request,
                response=interrupt.response,
                changes=interrupt.changes,
                over_before=interrupt.over_before,
            )
        return found
