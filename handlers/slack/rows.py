"""One message for several questions: a row for each, which is decided by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from handlers.slack.blocks import changes, decided_in_words, origin, see_all, terms
from handlers.slack.buttons import buttons
from handlers.slack.data import data_blocks, in_words
from handlers.slack.escape import code, escaped_line, one_line
from handlers.slack.layout import (
    MAX_TEXT,
    MAX_WEIGHT,
    Block,
    Message,
    actions,
    context,
    divider,
    paragraph,
    quote,
    section,
    title,
    weight,
)
from handlers.slack.people import pieces_with_mentions
from handlers.slack.tool_calls import call_blocks, call_in, spent_blocks, why_blocks
from spectra_bot import InterruptRequest, InterruptResponse, InterruptStatus, printable, redact

_Value = TypeVar("_Value")

_Frame = tuple[list[Block], list[Block]]
"""What stands above a row's data, and under it."""

MAX_ROWS = 7
_MAX_BLOCKS = 50
_SMALLEST_ROOM = 300
"""For a row's data, by `weight`; with less room it goes into another message."""
_DECISION_WEIGHT = 900
"""What a decision takes at most, with its note."""
_MOST_WHY = 600
_MOST_NOTE = 300
_MOST_CHANGES = 400
_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A question, and its answer once it is over."""

    request: InterruptRequest
    response: InterruptResponse | None = None


def how_many_fit(requests: Sequence[InterruptRequest]) -> int:
    """So many of the first of them have a row in one message, however they are decided; at least one."""
    for count in range(min(len(requests), MAX_ROWS), 1, -1):
        taken = requests[:count]
        head, frames = _parts([Row(request=request) for request in taken], bare=False)
        frame_weight = sum(max(weight([*top, *foot]), weight(top) + _DECISION_WEIGHT) for top, foot in frames)
        room = (MAX_WEIGHT - weight(head) - frame_weight) // count
        blocks = len(head) + sum(
            len(top) + _most_asked(request) + max(len(foot), 2)
            for request, (top, foot) in zip(taken, frames, strict=True)
        )
        if room >= _SMALLEST_ROOM and blocks <= _MAX_BLOCKS:
            return count
    return 1


def rows_message(rows: Sequence[Row], *, bare: bool = False) -> Message:
    """The questions in a row each: with buttons while it is open, else who decided what and when.

    Args:
        bare: without the data, for when Slack refuses the whole.
    """
    first = rows[0].request
    head, frames = _parts(rows, bare=bare)
    room = (MAX_WEIGHT - weight(head) - sum(weight([*top, *foot]) for top, foot in frames)) // len(rows)
    blocks = list(head)
    for row, (top, foot) in zip(rows, frames, strict=True):
        blocks += [*top, *([] if bare else _asked(row.request, room)), *foot]
    if bare:
        blocks.append(context(f"Slack could not show the data. {see_all(first)}"))
    lines = [f"{_line(rows)} ({code(first.run_id, 80)})", *(_in_words(row, 2_800 // len(rows)) for row in rows)]
    return Message(text="\n".join(lines)[:MAX_TEXT], blocks=tuple(blocks))


def _parts(rows: Sequence[Row], *, bare: bool) -> tuple[list[Block], list[_Frame]]:
    """What stands above all rows, because it holds for each, and each row's frame."""
    why = _common([_why(row.request) for row in rows])
    spent = _common([_spent(row.request) for row in rows])
    until = _common([terms(row.request) for row in rows])
    head = [*title(_line(rows)), origin(rows[0].request)]
    if not bare:
        head += why_blocks(why, _MOST_WHY)
    head += spent_blocks(spent)
    if any(row.response is None for row in rows):
        head += until or []
    frames = [
        _frame(row, has_why=why is None and not bare, has_spent=spent is None, has_terms=until is None) for row in rows
    ]
    return head, frames


def _line(rows: Sequence[Row]) -> str:
    open_rows = sum(row.response is None for row in rows)
    if open_rows == len(rows):
        return f"{len(rows)} decisions are needed"
    if not open_rows:
        return f"All {len(rows)} are decided"
    return f"{open_rows} of {len(rows)} decisions {'is' if open_rows == 1 else 'are'} still needed"


def _frame(row: Row, *, has_why: bool, has_spent: bool, has_terms: bool) -> _Frame:
    request, response = row.request, row.response
    top = [divider(), paragraph(one_line(redact(request.reason), _REASON))]
    if changed := changes(request, most=_MOST_CHANGES):
        top.append(changed[0])
    foot: list[Block] = []
    if has_why:
        foot += why_blocks(_why(request), _MOST_WHY // 2)
    if has_spent:
        foot += spent_blocks(_spent(request))
    if response is None:
        foot += terms(request) if has_terms else []
        return top, [*foot, actions(buttons(request))]
    decision = decided_in_words(request, response)
    answered = {key: value for key, value in response.data.items() if value != response.notes}
    if answered:
        decision += f"\n{escaped_line(in_words(answered, _MOST_NOTE), _MOST_NOTE)}"
    foot.append(section(decision))
    if response.notes:
        notes = printable(redact(response.notes))[:_MOST_NOTE]
        is_why = response.status is InterruptStatus.CANCELLED  # our own words, which name people by their identity
        foot.append(quote("Why", pieces_with_mentions(notes)) if is_why else quote("Note", [notes]))
    return top, foot


def _asked(request: InterruptRequest, room: int) -> list[Block]:
    call = call_in(request.data)
    if call is None:
        return data_blocks(request.data, budget=room, see_all=see_all(request), most_fields=10, most_codes=0)
    return call_blocks(call, budget=room, see_all=see_all(request), is_row=True)


def _most_asked(request: InterruptRequest) -> int:
    """So many blocks at most has a question's data in its row."""
    call = call_in(request.data)
    fields_and_code = 2
    return fields_and_code + (0 if call is None else (call.before is not None) + (call.problem is not None))


def _why(request: InterruptRequest) -> str | None:
    call = call_in(request.data)
    return call.why if call else None


def _spent(request: InterruptRequest) -> str | None:
    call = call_in(request.data)
    return call.spent if call else None


def _common(values: Sequence[_Value]) -> _Value | None:
    return values[0] if all(value == values[0] for value in values) else None


def _in_words(row: Row, limit: int) -> str:
    reason = escaped_line(redact(row.request.reason), limit // 2)
    if row.response is not None:
        return f"•  {reason}: {decided_in_words(row.request, row.response)}"
    labels = escaped_line(", ".join(option.label for option in row.request.options), 120)
    data = escaped_line(in_words(row.request.data, limit // 3), limit // 3)
    return f"•  {reason}{f' ({data})' if data else ''}: {labels}"
