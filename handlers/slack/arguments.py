"""What is typed behind the slash command: `run deploy env=prod replicas=3`. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

from pydantic import JsonValue

from spectra_bot import read_words

_STRAIGHT = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'", "\u00a0": " "})
"""Phones and laptops bend quotes while one types."""


class ArgumentsError(ValueError):
    """What was typed can't be read; says what, and how it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartArguments:
    """A workflow's name and its inputs as they were typed."""

    workflow: str
    texts: dict[str, str] = field(default_factory=dict)
    """From `key=value`; the workflow's model says what they mean."""
    values: dict[str, JsonValue] = field(default_factory=dict)
    """From `--json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryArguments:
    """The run to be retried, and the step from which on it begins anew."""

    run_id: str
    from_step: str | None = None


def words_of(text: str) -> list[str]:
    """The words, with quotes as in a shell.

    Raises:
        ArgumentsError: a quote is not closed.
    """
    try:
        return shlex.split(text.translate(_STRAIGHT))
    except ValueError as error:
        raise ArgumentsError('a quote is not closed; write env="two words"') from error


def read_start(words: list[str]) -> StartArguments:
    """What stands behind `run`.

    Raises:
        ArgumentsError: no workflow, or no object behind --json.
        InvalidWordError: another word that is not key=value.
    """
    if not words:
        raise ArgumentsError("name the workflow to run")
    workflow, *rest = words
    typed: list[str] = []
    values: dict[str, JsonValue] = {}
    while rest:
        word = rest.pop(0)
        if word == "--json":
            values |= _json_object(rest.pop(0) if rest else "")
        else:
            typed.append(word)
    return StartArguments(workflow=workflow, texts=read_words(typed), values=values)


def read_retry(words: list[str]) -> RetryArguments:
    """What stands behind `retry`.

    Raises:
        ArgumentsError: no run, or something else than from=STEP behind it.
    """
    match words:
        case [run_id]:
            return RetryArguments(run_id=run_id)
        case [run_id, word] if word.lower().startswith("from=") and word[5:]:
            return RetryArguments(run_id=run_id, from_step=word[5:])
    raise ArgumentsError(
        "name one run, and a step if it is to begin anew there: retry RUN from=STEP; `runs` lists them"
    )


def _json_object(text: str) -> dict[str, JsonValue]:
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ArgumentsError("""behind --json comes an object in single quotes: --json '{"env": "prod"}'""")
    return read
