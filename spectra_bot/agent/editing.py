"""The form in which people edit a call's arguments, and what they made of them. Secrets are masked in it."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue, field_validator
from pydantic_core import from_json, to_json

from spectra_bot.forms import Form
from spectra_bot.interrupts import InterruptResponse
from spectra_bot.redact import MASK, redact

ARGUMENTS = "arguments"

Arguments = dict[str, JsonValue]


class EditedCall(BaseModel):
    """What the form of an edit holds; a text that is no JSON object is told where it is typed, and stays there."""

    arguments: str = Field(
        title="Arguments as JSON",
        description="Checked by the tool's own schema before anything runs.",
        json_schema_extra={"multiline": True},
    )

    @field_validator(ARGUMENTS)
    @classmethod
    def _is_an_object(cls, typed: str) -> str:
        read(typed)
        return typed


def form(arguments: Arguments) -> Form:
    """A text with the arguments as JSON."""
    described = Form.of(EditedCall)
    [field] = described.fields
    shown = to_json(redact(arguments), indent=2).decode()
    return described.model_copy(update={"fields": (field.model_copy(update={"default": shown}),)})


def read(typed: str) -> Arguments:
    """The arguments that somebody typed.

    Raises:
        ValueError: it is no JSON object; says why.
    """
    try:
        given = from_json(typed)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError("the arguments have to be a JSON object")
    return given


def edited(response: InterruptResponse, arguments: Arguments) -> tuple[Arguments, str | None]:
    """The arguments as somebody edited them, or why they can't be used.

    What is masked and stands where it stood is what it was.
    """
    try:
        given = read(str(response.data.get(ARGUMENTS, "")))
    except ValueError as error:
        return {}, str(error)
    unmasked = {
        key: _unmasked(value, redact({key: arguments.get(key)})[key], arguments.get(key))
        for key, value in given.items()
    }
    if MASK in to_json(unmasked).decode() and MASK not in to_json(arguments).decode():
        return {}, "something that is masked was moved or changed; type it out"
    return unmasked, None


def draft(response: InterruptResponse) -> Arguments | None:
    """What somebody typed, to be corrected; None where it holds a secret, which could only be shown masked."""
    try:
        given = read(str(response.data.get(ARGUMENTS, "")))
    except ValueError:
        return None
    return given if redact(given) == given else None


def _unmasked(given: JsonValue, shown: JsonValue, was: JsonValue) -> JsonValue:
    if given == shown:
        return was
    match given, shown, was:
        case dict(), dict(), dict():
            return {key: _unmasked(value, shown.get(key), was.get(key)) for key, value in given.items()}
        case list(), list(), list() if len(given) == len(was):
            return [_unmasked(*values) for values in zip(given, shown, was, strict=True)]
        case _:
            return given
