"""What travels between a run on Temporal, its activities and its callers. All of it is JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from spectra_bot.graph import Shape
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.machine import InterruptState
from spectra_bot.machine import events as e
from spectra_bot.runs import RunResult, RunStatus
from spectra_bot.temporal.limits import RENEWAL, Renewal

FOR_EVER = timedelta(days=3650)
"""How long an activity may take: a step has its own time limit, and a handler may ask for as long as it likes."""
SPECTRA_RUN = "SpectraRun"
"""The one type of workflow that Temporal knows of us."""


class Entry(NamedTuple):
    """An event of a run, as it is stored."""

    kind: str
    body: dict[str, JsonValue]


def entry_of(event: e.Event) -> Entry:
    """An event as it travels."""
    return Entry(e.kind_of(event), from_json(e.dump(event)))


def event_of(entry: Entry, shape: Shape | None = None) -> e.Event:
    """The event that `entry_of` made.

    Args:
        shape: the graph of the run; only its start speaks of it.
    """

    def shape_of(digest: str) -> Shape:
        assert shape is not None, f"only a run's start names a shape: {digest}"  # noqa: S101
        return shape

    return e.load(entry.kind, to_json(entry.body), shape_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """What an execution of a run begins with: all that has happened to it."""

    shape: Shape
    entries: Sequence[Entry]
    lease_s: float
    """A worker that has been silent for so many seconds has lost its step."""
    first_turn_s: float
    """How long a handler may take before the next is asked beside it."""
    has_place: bool = False
    """What is large goes to a place beside Temporal. It stands here, not in a worker's settings: a replay must go the
    same way wherever it is made."""
    handlers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Who is asked about each interrupt."""
    renewal: Renewal = RENEWAL


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What came of an execution of a step."""

    step: str
    visit: int
    entries: Sequence[Entry] = ()
    handlers: Sequence[str] = ()
    """The handlers that are registered where it ran: who is asked about its questions, in this order."""
    grouping: Sequence[str] = ()
    """Those of them that deliver a group's questions together."""
    activity: str = ""
    """Which activity tells it, where that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEffect:
    """What an effect of a step came to."""

    value: JsonValue
    problem: str | None
    """Why its result can't be stored, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverCall:
    """A request to be put in front of people by one handler."""

    handler: str
    request: InterruptRequest
    is_again: bool = False
    """What the handler delivered is gone."""
    lost: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverGroupCall:
    """Requests of one group, to be put in front of people together by one handler."""

    handler: str
    requests: Sequence[InterruptRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleCall:
    """An interrupt that is over, to be shown so by one handler."""

    handler: str
    interrupt: InterruptState
    receipt: dict[str, JsonValue] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcludeCall:
    """The end of a run, to be told by one handler."""

    handler: str
    result: RunResult
    request: InterruptRequest
    receipt: dict[str, JsonValue] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The decision as it is stored."""

    response: InterruptResponse
    call_id: str
    """Whose call was judged; another's, where Temporal knew this update already."""
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Whether a run rests."""

    status: RunStatus
    is_ending: bool
    """A cancelled step still cleans up."""
    is_asking: bool
    """A handler has not had its first turn yet."""
    seq: int
    result: RunResult | None
    """The run as it stands; None while it is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """All that has happened to a run, and its graph."""

    shape: Shape
    entries: Sequence[Entry]
