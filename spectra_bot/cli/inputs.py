"""A run's inputs, and a form's data, from the words of a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from pydantic import JsonValue

from spectra_bot.errors import InvalidWordError
from spectra_bot.run_inputs import fitting_inputs, read_words
from spectra_bot.workflow import Workflow


def parse_inputs(words: Sequence[str], as_json: str | None, workflow: Workflow) -> dict[str, JsonValue]:
    """The inputs: what `--inputs` gives, and over it each `key=value`.

    Raises:
        click.UsageError: a word that is not key=value, or no JSON object.
        InvalidInputsError: with a problem per field; a misspelt name is one.
    """
    values = parse_json_object(as_json, "--inputs") if as_json is not None else {}
    try:
        texts = read_words(words)
    except InvalidWordError as error:
        raise click.UsageError(str(error)) from error
    return fitting_inputs(workflow, texts, values)


def parse_json_object(text: str, option: str) -> dict[str, JsonValue]:
    """The object that an option's JSON holds.

    Raises:
        click.UsageError: it is no JSON, or no object.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from error
    except RecursionError as error:
        raise click.UsageError(f"{option} is nested too deeply") from error
    if not isinstance(value, dict):
        raise click.UsageError(f'{option} takes a JSON object, such as {{"key": "value"}}')
    return value
