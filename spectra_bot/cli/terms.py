"""The words, colours and times of which every view in the terminal is made. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from spectra_bot.printable import printable
from spectra_bot.redact import redact

STYLES = {
    "completed": "green",
    "approved": "green",
    "running": "blue",
    "retrying": "yellow",
    "interrupted": "yellow",
    "pending": "yellow",
    "timed_out": "yellow",
    "failed": "red",
    "rejected": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "waiting": "dim",
}
MARKS = {
    "completed": "✓",
    "running": "…",
    "retrying": "↻",
    "interrupted": "?",
    "failed": "✗",
    "skipped": "-",
    "cancelled": "✗",
}


def status_text(status: str) -> Text:
    return Text(str(status), style=STYLES.get(status, ""))


def moment_text(moment: datetime | None) -> str:
    """A time as errors and questions tell it: in UTC, and marked so."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else ""


def duration_text(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def value_text(value: JsonValue) -> str:
    match value:
        case str():
            text = value
        case list() if all(isinstance(item, str) for item in value):
            text = ", ".join(str(item) for item in value)
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return printable(text)


def shown(text: str) -> str:
    return printable(redact(text))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plain_table() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
