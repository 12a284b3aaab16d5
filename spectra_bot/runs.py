"""What a runner tells about its runs: frozen values that every surface shows in its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.options import InterruptStatus


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """No step of the run will run again by itself."""
        return self is RunStatus.COMPLETED or self is RunStatus.FAILED or self is RunStatus.CANCELLED


StepPhase = Literal["waiting", "running", "retrying", "interrupted", "completed", "failed", "skipped", "cancelled"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunResult(_Record):
    """A run at the moment it was looked at."""

    run_id: str
    workflow: str
    status: RunStatus
    outputs: dict[str, JsonValue] = Field(default_factory=dict)
    """The newest output of each step, by step id."""
    pending: tuple[InterruptRequest, ...] = ()
    """The interrupts that wait for an answer, oldest first."""
    error: str | None = None


class DeliveryRecord(_Record):
    """One handler's attempts to put one interrupt in front of people, and to close it again."""

    handler: str
    attempts: int = 0
    """How often it tried to deliver; where `last_error` tells of something later, how often that has failed."""
    lost: int = 0
    """How often what it had delivered was gone, so that it delivered anew."""
    delivered_at: datetime | None = None
    receipt: dict[str, JsonValue] | None = None
    settled_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    """What last went wrong with what is left to do: deliver, look whether it stands, close, tell how the run ended."""


class InterruptRecord(_Record):
    """One interrupt with its answer, if it is over, and how it was delivered."""

    request: InterruptRequest
    response: InterruptResponse | None = None
    """None while it is pending. CANCELLED and TIMED_OUT are responses that nobody gave."""
    closed_why: str | None = None
    """Why it ended without an answer: `superseded`, `run cancelled by ...`, `step plan failed`."""
    superseded_by: str | None = None
    """The interrupt that stands in for it, because the question changed; an answer to this one counts no more."""
    deliveries: tuple[DeliveryRecord, ...] = ()

    @property
    def status(self) -> InterruptStatus | Literal["pending"]:
        """How it ended, or that it has not."""
        return self.response.status if self.response else "pending"


class StepRecord(_Record):
    """One step of a run, in its newest visit."""

    step: str
    after: tuple[str, ...] = ()
    phase: StepPhase = "waiting"
    visit: int = 1
    attempt: int = 1
    """1, and one more for each error; of a failed step the attempt that failed, else the one at work or the next."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retry_at: datetime | None = None
    """When a step that raised runs again by itself."""
    error: str | None = None
    """Why it failed, or why it is tried again."""
    put_off: str | None = None
    """Of a step at work: why nobody can execute it just now."""
    interrupts: tuple[str, ...] = ()
    """The ids of the interrupts of this visit, in the order they were asked."""

    @property
    def duration(self) -> timedelta | None:
        """From its first start to its end, the waiting for people included."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None


class RunDetails(RunResult):
    """A run with its steps and interrupts, as `show` tells it."""

    inputs: JsonValue = None
    requested_by: str | None = None
    channel: str | None = None
    created_at: datetime
    updated_at: datetime
    steps: tuple[StepRecord, ...] = ()
    """In the order the workflow declares them."""
    interrupts: tuple[InterruptRecord, ...] = ()
    """All of the run, in the order they were asked."""


class RunSummary(_Record):
    """A run as one line of a list."""

    run_id: str
    workflow: str
    status: RunStatus
    requested_by: str | None = None
    created_at: datetime
    updated_at: datetime
    pending: int = 0
    """How many interrupts wait for an answer."""
    error: str | None = None


class Checkpoint(_Record):
    """One event of a run's history."""

    seq: int
    at: datetime
    event: str
    """What happened, as one word: `RunStarted`, `InterruptAnswered`, ..."""
    step: str | None = None
    by: str | None = None
    """The verified identity that caused it, where one did."""
    detail: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdate:
    """Something a listener in the same process may show at once; nothing is stored of it."""

    run_id: str
    event: str
    """A checkpoint's event, `StepStarted` or `StepProgress`."""
    step: str | None = None
    fraction: float | None = None
    text: str = ""
    about: str | None = None
    """What within the step the text is about: told first that it has begun, and then what came of it."""
    at: datetime | None = None
    """When, by the clock that also stamps questions."""


Listener = Callable[[RunUpdate], None]


@runtime_checkable
class ConcludesRuns(Protocol):
    """A handler that tells the people it asked how their run ended."""

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        """Tell the outcome where the newest interrupt that this handler delivered stands.

        Called until it returns, so it must bear repetition.
        """
        ...


@runtime_checkable
class LooksAtRuns(Protocol):
    """A handler that looks how the runs stand whose questions it delivers."""

    def look_with(self, look: Callable[[str], Awaitable[RunDetails]]) -> None:
        """Take the way to look at a run, by its id; called when a runner opens that it is registered with."""
        ...
