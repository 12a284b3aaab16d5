"""Where output goes: records and results to standard output, everything said along the way to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from pydantic import BaseModel, JsonValue
from rich.console import Console
from rich.text import Text

from spectra_bot.printable import printable
from spectra_bot.redact import redact

PLAIN_WIDTH = 120
"""Columns where there is no terminal to ask."""


def stdout() -> Console:
    """What a person asked for."""
    return _console(stderr=False)


def stderr() -> Console:
    """What is said along the way."""
    return _console(stderr=True)


def has_terminal() -> bool:
    """A person can be asked here."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def warn(said: str) -> None:
    """Say what a person should see to."""
    stderr().print(Text(printable(redact(f"Warning: {said}")), style="yellow"), soft_wrap=True)


def print_records(records: BaseModel | Sequence[BaseModel] | JsonValue) -> None:
    """The records as JSON, secrets masked: an object for one, an array for several."""
    click.echo(json.dumps(redact(_dumped(records)), indent=2, ensure_ascii=False))


def _dumped(records: BaseModel | Sequence[BaseModel] | JsonValue) -> JsonValue:
    match records:
        case BaseModel():
            dumped: JsonValue = records.model_dump(mode="json")
            return dumped
        case str() | dict():
            return records
        case Sequence():
            return [_dumped(record) for record in records]
        case _:
            return records


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False, markup=False)
