"""How a question looks in a terminal: pure, from a request to something rich can draw."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import JsonValue
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from spectra_bot import Difference, InterruptOption, InterruptRequest, printable, redact

SHORT = 100
"""A value up to this many characters on one line stands in the table; a longer one gets a panel."""
MAX_LINES = 400
"""A panel shows this many lines and says how many follow."""
MAX_CHARACTERS = 60_000
MOST_CHANGES = 20

_STYLES = {"primary": "bold green", "danger": "bold red", "default": "bold"}


def question_view(request: InterruptRequest, *, numbered: bool = True) -> RenderableType:
    """The whole question: reason, data, who may decide and until when, and the options."""
    return Panel(
        Group(*_parts(request, numbered)),
        title=Text(printable(f"{request.workflow} · {request.step}"), style="bold"),
        title_align="left",
        subtitle=Text(printable(f"run {request.run_id} · interrupt {request.id}"), style="dim"),
        subtitle_align="right",
        box=box.ROUNDED,
        padding=(0, 1),
    )


def _parts(request: InterruptRequest, numbered: bool) -> Iterator[RenderableType]:
    yield Text(printable(redact(request.reason)), style="bold")
    if request.replaces or request.changed:
        said = ["Asked anew, because it changed; the earlier answer does not count.", *_changes(request.changed)]
        yield Text("\n".join(said), style="yellow")
    yield from _data(redact(request.data))
    facts = _facts(request)
    if facts.row_count:
        yield facts
    yield _options(request.options, numbered)


def _changes(changed: Sequence[Difference]) -> Iterator[str]:
    for difference in changed[:MOST_CHANGES]:
        text = printable(str(difference)).replace("\n", " ⏎ ")
        yield f"  {text}"
    if len(changed) > MOST_CHANGES:
        yield f"  and {len(changed) - MOST_CHANGES} more"


def _data(data: dict[str, JsonValue]) -> Iterator[RenderableType]:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    long: list[RenderableType] = []
    for key, value in data.items():
        short = short_text(value)
        if short is None:
            long.append(_panel(key, value))
        else:
            table.add_row(Text(printable(key)), Text(short))
    if table.row_count:
        yield table
    yield from long


def short_text(value: JsonValue) -> str | None:
    """The value on one line, None where it needs more room."""
    match value:
        case str():
            text = value
        case list():
            parts = [short_text(item) for item in value if not isinstance(item, list | dict)]
            if len(parts) < len(value) or None in parts:
                return None
            text = ", ".join(part for part in parts if part is not None) or "none"
        case dict():
            return None if value else "none"
        case _:
            text = json.dumps(value)
    return printable(text) if len(text) <= SHORT and "\n" not in text else None


def _panel(key: str, value: JsonValue) -> Panel:
    if isinstance(value, str):
        text, lexer = value, "diff" if _is_diff(key, value) else "text"
    elif isinstance(value, list) and all(short_text(item) and not isinstance(item, list | dict) for item in value):
        text, lexer = "\n".join(short_text(item) or "" for item in value), "text"
    else:
        text, lexer = json.dumps(value, indent=2, ensure_ascii=False), "json"
    shown, cut = _cut(text)
    # Background and colours are the terminal's own: readable on a light one too.
    code = Syntax(printable(shown.rstrip("\n")), lexer, theme="ansi_dark", background_color="default", word_wrap=True)
    return Panel(
        Group(code, Text(cut, style="yellow")) if cut else code,
        title=Text(printable(key), style="cyan"),
        title_align="left",
        box=box.SQUARE,
        border_style="dim",
    )


def _is_diff(key: str, text: str) -> bool:
    return key.lower() in ("diff", "patch") or text.startswith(("--- ", "diff --git ")) or "\n@@ " in text


def _cut(text: str) -> tuple[str, str]:
    lines = text[:MAX_CHARACTERS].splitlines(keepends=True)[:MAX_LINES]
    shown = "".join(lines)
    left = text[len(shown) :]
    if not left:
        return text, ""
    return shown, f"Cut here: {len(left):,} more characters, {left.count(chr(10)) + 1:,} more lines."


def _facts(request: InterruptRequest) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    if request.requested_by:
        table.add_row("started by", Text(printable(request.requested_by)))
    if request.approvers:
        table.add_row("may decide", Text(printable(", ".join(request.approvers))))
    if request.deadline:
        until = f"{request.deadline.astimezone():%Y-%m-%d %H:%M %Z}"
        default = f", then {request.default_option!r} applies" if request.default_option else ""
        table.add_row("until", Text(printable(until + default)))
    return table


def _options(options: tuple[InterruptOption, ...], numbered: bool) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for number, option in enumerate(options, 1):
        asks = f"asks for: {', '.join(field.label for field in option.form.fields)}" if option.form else ""
        table.add_row(
            Text(str(number) if numbered else "-", style="dim"),
            Text(printable(option.id), style=_STYLES[option.style]),
            Text(printable(option.label) if option.label.lower() != option.id.lower() else ""),
            Text(printable(asks), style="dim"),
        )
    return table
