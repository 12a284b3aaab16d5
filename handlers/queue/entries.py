"""What stands in the streams: one JSON object in the field `body` of each entry. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from spectra_bot import (
    AlreadyAnsweredError,
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    NotAllowedError,
    NotPendingError,
    PayloadTooLargeError,
    SpectraError,
    UnknownInterruptError,
    redact,
)

BODY = "body"
ORIGINAL = "original"
"""The field of a set-aside entry that holds what was refused, byte for byte."""

Text = Annotated[str, StringConstraints(min_length=0)]
"""A text that can be stored: with a constraint pydantic refuses half a surrogate pair."""
Name = Annotated[str, StringConstraints(pattern=r"^[\w.@+-]{1,100}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def body(self) -> str:
        """The entry's one field, with secrets masked."""
        return json.dumps(redact(self.model_dump(mode="json")))


class RequestEntry(_Entry):
    """A question that waits for an answer."""

    type: Literal["request"] = "request"
    interrupt_id: str
    run_id: str
    workflow: str
    step: str
    reason: str
    data: dict[str, JsonValue]
    options: tuple[InterruptOption, ...]
    approvers: tuple[str, ...]
    default_option: str | None
    requested_by: str | None
    created_at: datetime | None
    deadline: datetime | None
    replaces: str | None
    """The answered interrupt that this one stands in for."""
    changed: tuple[str, ...]
    """What is different from it."""

    @classmethod
    def of(cls, request: InterruptRequest) -> Self:
        """The question as it is published."""
        named = {name: getattr(request, name) for name in cls.model_fields if name in InterruptRequest.model_fields}
        return cls(interrupt_id=request.id, **named)


class SettledEntry(_Entry):
    """The end of a question that was published: answered here or elsewhere, timed out, or cancelled."""

    type: Literal["settled"] = "settled"
    interrupt_id: str
    run_id: str
    status: InterruptStatus
    option: str | None
    responder: str | None
    notes: str | None
    responded_at: datetime | None
    request_entry: str
    """The id of the entry that asked."""

    @classmethod
    def of(cls, request: InterruptRequest, response: InterruptResponse, request_entry: str) -> Self:
        """How a question ended."""
        named = {name: getattr(response, name) for name in cls.model_fields if name in InterruptResponse.model_fields}
        return cls(**{**named, "interrupt_id": request.id, "run_id": request.run_id, "request_entry": request_entry})


class AnswerEntry(BaseModel):
    """A decision that somebody wrote to the answer stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interrupt_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    option: Text
    data: dict[str, JsonValue] = Field(default_factory=dict)
    notes: Text | None = None
    responder: Name | None = None
    """Who decided, as the writer says: letters, digits and . @ + _ - only."""

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The answer in an entry.

        Raises:
            RefusedAnswer: it has no body, or one that is no JSON object of these fields.
        """
        body = fields.get(BODY.encode())
        if not body:
            raise RefusedAnswer(Refusal.BAD_FIELDS, f"the entry's field {BODY!r} is missing or empty")
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            if found[0]["type"] == "json_invalid":
                raise RefusedAnswer(Refusal.NOT_JSON, found[0]["msg"]) from error
            problems = [f"{'.'.join(map(str, item['loc'])) or BODY}: {item['msg']}" for item in found[:10]]
            raise RefusedAnswer(Refusal.BAD_FIELDS, "; ".join(problems)) from error


class Refusal(StrEnum):
    """Why an answer was set aside, in one word."""

    NOT_JSON = "not_json"
    BAD_FIELDS = "bad_fields"
    """A field is missing, unknown or of the wrong kind."""
    UNTRUSTED_NAME = "untrusted_name"
    """It names a responder, and this bot does not believe its queue's writers who decided."""
    UNKNOWN_INTERRUPT = "unknown_interrupt"
    ALREADY_ANSWERED = "already_answered"
    OVER = "over"
    """It timed out or was cancelled."""
    NOT_ALLOWED = "not_allowed"
    INVALID_ANSWER = "invalid_answer"
    """The option is not offered, or its form is not filled in right."""
    TOO_LARGE = "too_large"


class Decided(BaseModel):
    """Who was first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: str | None
    responder: str | None
    responded_at: datetime | None


class SetAsideEntry(_Entry):
    """Why an answer changed nothing; the answer itself stands beside it, byte for byte."""

    type: Literal["set_aside"] = "set_aside"
    entry: str
    """The id that it had in the answer stream."""
    refusal: Refusal
    reason: str
    decided: Decided | None = None


class RefusedAnswer(Exception):  # noqa: N818  it is a verdict, caught where answers are taken
    """An answer that is refused for good."""

    def __init__(self, refusal: Refusal, reason: str, decided: Decided | None = None) -> None:
        self.refusal, self.reason, self.decided = refusal, reason, decided
        super().__init__(reason)

    @classmethod
    def by(cls, error: SpectraError) -> Self:
        """The runner's refusal."""
        match error:
            case AlreadyAnsweredError():
                decided = Decided(option=error.option, responder=error.answered_by, responded_at=error.answered_at)
                return cls(Refusal.ALREADY_ANSWERED, str(error), decided)
            case UnknownInterruptError():
                return cls(Refusal.UNKNOWN_INTERRUPT, f"{error}; does this stream serve another database?")
            case NotPendingError():
                return cls(Refusal.OVER, str(error))
            case NotAllowedError():
                return cls(Refusal.NOT_ALLOWED, str(error))
            case PayloadTooLargeError():
                return cls(Refusal.TOO_LARGE, str(error))
            case _:
                return cls(Refusal.INVALID_ANSWER, str(error))


def set_aside(entry_id: str, fields: Mapping[bytes, bytes], refused: RefusedAnswer) -> dict[str, str | bytes]:
    """The fields of the entry that keeps a refused answer; one without a body is kept as JSON of its fields."""
    about = SetAsideEntry(entry=entry_id, refusal=refused.refusal, reason=refused.reason, decided=refused.decided)
    readable = {_readable(name): _readable(value) for name, value in fields.items()}
    return {BODY: about.body(), ORIGINAL: fields.get(BODY.encode()) or json.dumps(readable)}


def _readable(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
