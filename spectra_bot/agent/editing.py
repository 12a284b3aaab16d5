"""The form in which people edit a call's arguments, and what they made of them. Secrets are masked in it."""

from __future__ import annotations

import re

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from spectra_bot.forms import FieldKind, Form, FormField
from spectra_bot.interrupts import InterruptResponse
from spectra_bot.redact import MASK, redact

ARGUMENTS = "arguments"

Arguments = dict[str, JsonValue]

_NAMES = re.compile(r'"([^"]*)"\s*:')
"""What may be a name in a text that need not be JSON."""


def form(arguments: Arguments, draft: str | None = None) -> Form:
    """A text with the arguments as JSON, or with what somebody has made of them so far."""
    field = FormField(
        name=ARGUMENTS,
        label="Arguments as JSON",
        kind=FieldKind.TEXT,
        default=draft or to_json(redact(arguments), indent=2).decode(),
        multiline=True,
        help="Checked by the tool's own schema before anything runs.",
    )
    return Form(fields=(field,))


def edited(response: InterruptResponse, arguments: Arguments) -> tuple[Arguments, str | None]:
    """The arguments as somebody edited them, or why they can't be used.

    What is masked and stands where it stood is what it was.
    """
    try:
        given = from_json(str(response.data.get(ARGUMENTS, "")))
    except ValueError as error:
        return {}, f"no JSON: {error}"
    if not isinstance(given, dict):
        return {}, "the arguments have to be a JSON object"
    unmasked = {
        key: _unmasked(value, redact({key: arguments.get(key)})[key], arguments.get(key))
        for key, value in given.items()
    }
    if MASK in to_json(unmasked).decode() and MASK not in to_json(arguments).decode():
        return {}, "something that is masked was moved or changed; type it out"
    return unmasked, None


def draft(response: InterruptResponse) -> str | None:
    """What somebody typed, to be corrected; None where something in it has to be masked, or was."""
    typed = str(response.data.get(ARGUMENTS, ""))
    names: Arguments = dict.fromkeys(_NAMES.findall(typed), "…")
    return typed if redact(typed) == typed and redact(names) == names else None


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
