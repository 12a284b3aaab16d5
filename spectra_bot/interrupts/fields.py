"""What the fields of a request and a response take, and what they make of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints

from spectra_bot.differences import Difference
from spectra_bot.json_values import in_order, to_json_object
from spectra_bot.options import InterruptOption

Text = Annotated[str, StringConstraints(min_length=0)]
"""A text that can be stored; without a constraint pydantic lets half a surrogate pair pass."""

MAX_OPTIONS = 25
"""As many as one row of Slack buttons holds."""


def _as_options(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("options is a list of words, not one word")
    if isinstance(value, Iterable):
        return tuple(InterruptOption(option) if isinstance(option, str) else option for option in value)
    return value


def _as_approvers(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("approvers is a list of ids, not one id")
    return value


def _as_data(value: object) -> object:
    return to_json_object(in_order(value), "data")


def _as_difference(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value  # as version 0.1 stored it


JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_as_data)]
"""Whatever pydantic can write as a JSON object, held as JSON."""

Options = Annotated[
    tuple[InterruptOption, ...], BeforeValidator(_as_options), Field(min_length=1, max_length=MAX_OPTIONS)
]
"""What is offered, in order; a word stands for the option of that id."""

Approvers = Annotated[tuple[Text, ...], BeforeValidator(_as_approvers)]
"""Who may decide."""

Differences = tuple[Annotated[Difference, BeforeValidator(_as_difference)], ...]
"""What is different from another question, field by field."""
