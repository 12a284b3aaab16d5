"""What can happen to a run: frozen values, stored as one row each, and never changed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from spectra_bot.context import Slot
from spectra_bot.errors import UnreadableRunError
from spectra_bot.graph import Shape
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.json_values import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began, on the graph that it keeps."""

    at: datetime
    run_id: str
    workflow: str
    shape: Shape
    inputs: dict[str, JsonValue]
    requested_by: str | None = None
    channel: str | None = None
    secrets: tuple[Path, ...] = ()
    """Where in the inputs something stands that is never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenJudged:
    """A step's `when=` was evaluated."""

    at: datetime
    step: str
    visit: int
    verdict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """A step returned its output; at a gate, with the option that was taken."""

    at: datetime
    step: str
    visit: int
    output: JsonValue = None
    option: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped:
    """A step had nothing to do."""

    at: datetime
    step: str
    visit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """A step, its `when=` or its way back raised, and the run fails with it."""

    at: datetime
    step: str
    visit: int
    error: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _storable(self.error))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepErrored:
    """A step raised, and runs again by itself when its pause is over."""

    at: datetime
    step: str
    visit: int
    error: str
    until: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _storable(self.error))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried:
    """The pause of a step that raised is over."""

    at: datetime
    step: str
    visit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackJudged:
    """The ways back of a completed step were evaluated; `to` is the one taken, None goes on."""

    at: datetime
    step: str
    visit: int
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptRaised:
    """A step asked and stopped. `request` carries its stamps: id, deadline, digest."""

    at: datetime
    step: str
    visit: int
    slot: Slot
    request: InterruptRequest
    changes: int = 0
    """How often in a row the question of this slot changed."""
    steady: tuple[Slot, ...] = ()
    """Questions of the step that had changed before, and that it met unchanged this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptDelivered:
    """A handler put the request in front of people; without a receipt there is nothing to settle."""

    at: datetime
    interrupt_id: str
    handler: str
    receipt: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLost:
    """What a handler delivered is gone from where it put it: someone deleted the message, say."""

    at: datetime
    interrupt_id: str
    handler: str
    receipt: dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptAnswered:
    """Someone decided; the response is as the judge left it."""

    at: datetime
    interrupt_id: str
    response: InterruptResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptExpired:
    """The deadline passed and nobody had decided."""

    at: datetime
    interrupt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptSettled:
    """A handler showed people that the interrupt is over."""

    at: datetime
    interrupt_id: str
    handler: str
    superseded_by: str | None = None
    """The interrupt that people were told to answer instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceStored:
    """An effect was done and its result is kept for this visit."""

    at: datetime
    step: str
    visit: int
    key: str
    value: JsonValue = None
    problem: str | None = None
    """Why the result itself could not be stored; the effect was done all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecovered:
    """Another process took the run over because its owner died; these steps were running."""

    at: datetime
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled:
    """Someone ended the run."""

    at: datetime
    by: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried:
    """Someone set a failed run going again."""

    at: datetime
    by: str | None = None
    from_step: str | None = None
    """The step, or the sub-workflow, that began anew with all behind it; None took up only what had stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConcluded:
    """A handler told people how the run ended."""

    at: datetime
    handler: str


Event = (
    RunStarted
    | WhenJudged
    | StepCompleted
    | StepSkipped
    | StepFailed
    | StepErrored
    | StepRetried
    | BackJudged
    | InterruptRaised
    | InterruptDelivered
    | DeliveryLost
    | InterruptAnswered
    | InterruptExpired
    | InterruptSettled
    | OnceStored
    | RunRecovered
    | RunCancelled
    | RunRetried
    | RunConcluded
)

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunStarted,
        WhenJudged,
        StepCompleted,
        StepSkipped,
        StepFailed,
        StepErrored,
        StepRetried,
        BackJudged,
        InterruptRaised,
        InterruptDelivered,
        DeliveryLost,
        InterruptAnswered,
        InterruptExpired,
        InterruptSettled,
        OnceStored,
        RunRecovered,
        RunCancelled,
        RunRetried,
        RunConcluded,
    )
}
_adapters: dict[str, TypeAdapter[Event]] = {}


def kind_of(event: Event) -> str:
    """The word under which an event is stored."""
    return type(event).__name__


def dump(event: Event) -> bytes:
    """An event as it is stored; a run's start names its shape by digest."""
    if isinstance(event, RunStarted):
        fields = {name: getattr(event, name) for name in RunStarted.__dataclass_fields__}
        return to_json({**fields, "shape": event.shape.digest})
    return to_json(event)


def load(kind: str, body: str | bytes, shape_of: Callable[[str], Shape]) -> Event:
    """The event that `dump` wrote.

    Args:
        shape_of: the shape of a digest.

    Raises:
        UnreadableRunError: of a kind, or with a field, that this version does not know; or no JSON any more.
    """
    adapter = _adapters.get(kind)
    if adapter is None:
        if kind not in _KINDS:
            raise UnreadableRunError(f"an event {kind!r}")
        adapter = _adapters[kind] = TypeAdapter(_KINDS[kind])
    try:
        if kind == RunStarted.__name__:
            fields = from_json(body)
            return adapter.validate_python({**fields, "shape": shape_of(fields["shape"])})
        return adapter.validate_json(body)
    except ValidationError as error:
        is_damaged = error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid"
        raise UnreadableRunError(f"an event {kind!r}", is_damaged=is_damaged) from error
    except ValueError as error:
        raise UnreadableRunError(f"an event {kind!r}", is_damaged=True) from error


def _storable(error: str) -> str:
    """An error's text; it quotes foreign text, file names say, and has to be stored whatever that holds."""
    return error.encode(errors="backslashreplace").decode()
