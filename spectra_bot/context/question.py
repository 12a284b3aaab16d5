"""A question's place in a visit of a step, and what is known of it there."""

from __future__ import annotations

from dataclasses import dataclass

from spectra_bot.differences import Difference
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.json_values import copy_of

Slot = str | int
"""A question's place in a visit: its key, or its number among the unkeyed ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The newest question of a slot, as earlier executions of this visit left it."""

    slot: Slot
    request: InterruptRequest
    response: InterruptResponse | None
    changes: int = 0
    """How often it stands in for an earlier question that changed."""
    over_before: int = 0
    """How many interrupts of its run were over when it was answered: their order, however the wall clock jumps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion:
    """A question that this execution asks and nobody has stored yet."""

    slot: Slot
    request: InterruptRequest
    replaces: str | None = None
    changed: tuple[Difference, ...] = ()
    changes: int = 0


def is_text(key: object) -> bool:
    """It can be stored as text, and is the same when it is read again."""
    return isinstance(key, str) and key == key.encode(errors="replace").decode()


def keyed(request: InterruptRequest, slot: Slot, group: str | None) -> InterruptRequest:
    """A request as it stands in its slot."""
    key = slot if isinstance(slot, str) else None
    return request.model_copy(update={"key": key, "group": group, "digest": request.content_digest()})


def same_question(one: InterruptRequest, other: InterruptRequest) -> bool:
    """They ask the same, perhaps about other data."""
    return one.reason == other.reason and one.options == other.options


def with_request(question: Question) -> InterruptResponse:
    """The answer with the question it was given to: a copy, for a step may change it."""
    assert question.response is not None  # noqa: S101  its callers looked
    request = question.request.model_copy(update={"data": copy_of(question.request.data)})
    return question.response.model_copy(update={"data": copy_of(question.response.data), "request": request})
