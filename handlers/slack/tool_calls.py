"""A call that an agent wants to make, as people judge it: what it is given, why, and what was spent so far. Pure."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from handlers.slack.data import data_blocks
from handlers.slack.escape import code, cut, escaped_line, one_line
from handlers.slack.layout import Block, code_block, context, quote, section, weight
from handlers.slack.outline import outline
from spectra_bot import printable, redact

_MOST_WHY = 1_200
_MOST_WHY_LINES = 12
_MOST_DIFF_LINES = 80
_CONTEXT_LINES = 2
_SMALLEST_DIFF = 200
_OVERHEAD = 200
"""What a diff takes beside its text."""
_ENOUGH, _ENOUGH_LINES = 20_000, 2_000
"""Characters of a text, and lines of any value, that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """What a question about a call says in its data."""

    tool: str
    arguments: Mapping[str, JsonValue]
    before: Mapping[str, JsonValue] | None = None
    """The arguments before somebody edited them."""
    problem: str | None = None
    """Why an edit could not be used."""
    why: str | None = None
    spent: str | None = None
    rest: Mapping[str, JsonValue]


def call_in(data: Mapping[str, JsonValue]) -> ToolCall | None:
    """The call that a question is about; None where it is about something else."""
    match data:
        case {"tool": str(tool), "arguments": dict(arguments), **rest}:
            before = rest.pop("arguments before", None)
            return ToolCall(
                tool=tool,
                arguments=arguments,
                before=before if isinstance(before, dict) else None,
                problem=_text(rest.pop("could not be used", None)),
                why=_text(rest.pop("why", None)),
                spent=_text(rest.pop("so far", None)),
                rest=rest,
            )
        case _:
            return None


def asked_blocks(data: Mapping[str, JsonValue], *, budget: int, see_all: str) -> list[Block]:
    """A question's data, within a budget of `weight`: a call in its own way, anything else as names and values."""
    call = call_in(data)
    if call is None:
        return data_blocks(data, budget=budget, see_all=see_all)
    foot = [*why_blocks(call.why), *spent_blocks(call.spent)]
    return [*call_blocks(call, budget=budget - weight(foot), see_all=see_all), *foot]


def call_blocks(call: ToolCall, *, budget: int, see_all: str, is_row: bool = False) -> list[Block]:
    """The tool and its arguments: short ones as fields, long ones as code, edited ones before and after.

    Args:
        is_row: several calls share one message, so that each has to do with fewer blocks.
    """
    most_fields, most_codes = (10, 0) if is_row else (20, 8)
    head: list[Block] = []
    if not is_row or not (call.arguments or call.before):
        head.append(section(f"🔧 {code(call.tool)}{'' if call.arguments or call.before else '  without arguments'}"))
    if call.problem is not None:
        head.append(quote("⚠️ The edit could not be used", [one_line(redact(call.problem), 400)]))
    shown: dict[str, JsonValue] = {**call.arguments, **call.rest}
    if call.before is not None:
        same = {key for key, item in call.arguments.items() if key in call.before and call.before[key] == item}
        shown = {key: item for key, item in shown.items() if key in same or key in call.rest}
        room = max((budget - weight(head)) * 2 // 3 - _OVERHEAD, _SMALLEST_DIFF)
        head += _diff_blocks(call.before, call.arguments, room, see_all)
    room = budget - weight(head)
    return [
        *head,
        *data_blocks(shown, budget=room, see_all=see_all, most_fields=most_fields, most_codes=most_codes),
    ]


def why_blocks(why: str | None, limit: int = _MOST_WHY) -> list[Block]:
    """What the model said beside the call."""
    if not why:
        return []
    piece = cut(printable(redact(why)), limit, _MOST_WHY_LINES)
    return [quote("Why", [f"{piece.shown}…" if piece.left_out else piece.shown])]


def spent_blocks(spent: str | None) -> list[Block]:
    """What the agent has spent."""
    return [context(f"🪙 So far: {escaped_line(spent, 200)}")] if spent else []


def _diff_blocks(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], room: int, see_all: str
) -> list[Block]:
    lines = list(_diff_lines(dict(before), dict(after)))
    if not lines:
        return []
    text = printable("\n".join(lines))
    piece = cut(text, room, _MOST_DIFF_LINES)
    notice = (
        f"Cut here: {len(piece.shown):,} of {len(text):,} characters are shown. {see_all}" if piece.left_out else ""
    )
    return [code_block("Edited", "- before  + after", piece.shown, notice)]


def _diff_lines(before_in_clear: dict[str, JsonValue], after_in_clear: dict[str, JsonValue]) -> Iterator[str]:
    before, after = redact(before_in_clear), redact(after_in_clear)
    for key in dict.fromkeys([*before, *after]):
        old = _lines(key, before[key]) if key in before else []
        new = _lines(key, after[key]) if key in after else []
        if old == new:
            if before_in_clear.get(key) != after_in_clear.get(key) and before.get(key) == after.get(key):
                yield f"  {one_line(key, 80)}: what is masked here was changed"
            continue
        told = difflib.unified_diff(old, new, lineterm="", n=_CONTEXT_LINES)
        for line in itertools.islice(told, 3, None):  # behind the names of files, and where the first part begins
            yield "  …" if line.startswith("@@") else f"{line[0]} {line[1:]}"


def _lines(key: str, value: JsonValue) -> list[str]:
    lines = outline({key: value[:_ENOUGH] if isinstance(value, str) else value})
    return list(itertools.islice(lines, _ENOUGH_LINES))


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
