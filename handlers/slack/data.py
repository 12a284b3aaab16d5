"""A request's data, or a run's outputs, as blocks: fields for short values, code for long ones. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from handlers.slack.escape import cut, is_address, is_tame, one_line, strong, value
from handlers.slack.layout import Block, code_block, fields, weight
from handlers.slack.outline import outline, scalar
from spectra_bot import printable, redact

_FIELD_LENGTH = 80
_MOST_FIELDS = 20
_MOST_CODE_BLOCKS = 8
_MOST_LINES = 120
_SMALLEST_CODE = 200
_CODE_OVERHEAD = 330
"""What a block of code takes beside its text: its label, its remark and its notice."""
_ROOM_FOR_CODE = _SMALLEST_CODE + _CODE_OVERHEAD

_ENOUGH = 60_000

_NOT_FOR_FIELDS = frozenset("\n\r`<>&")
"""What is clearer, and safer, in a block of code."""

_DIFF = re.compile(r"^--- .*\n\+\+\+ .*\n@@ ", re.MULTILINE)
_DIFF_LINE = re.compile(r"^(?:(?P<file>\+\+\+ )|(?P<old>--- )|(?P<added>\+)|(?P<removed>-))", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    label: str
    remark: str
    text: str
    """Enough of it for any budget."""
    length: int
    """Characters of the whole."""


def data_blocks(
    data: Mapping[str, JsonValue],
    *,
    budget: int,
    see_all: str,
    most_fields: int = _MOST_FIELDS,
    most_codes: int = _MOST_CODE_BLOCKS,
) -> list[Block]:
    """The data, masked, within a budget of `weight`; what does not fit is left out with a notice.

    Args:
        see_all: how to see the rest, as the end of a sentence: `print it all with ...`.
        most_fields: so many short values stand side by side.
        most_codes: so many others have a block of code each; what is left has one together.
    """
    masked = _masked(data)
    short = {key: item for key, item in masked.items() if _is_short(item) and _is_short(key)}
    shown = dict(list(short.items())[:most_fields])
    blocks = fields([(strong(key), _field(item)) for key, item in shown.items()])
    if weight(blocks) > budget:
        shown, blocks = {}, []
    left = budget - weight(blocks)
    long = [(key, item) for key, item in masked.items() if key not in short]
    apart = dict(long[: max(0, min(most_codes, left // _ROOM_FOR_CODE - 1))])
    codes = [_code(key, item, left, data[key]) for key, item in apart.items()]
    rest = {key: item for key, item in masked.items() if key not in shown and key not in apart}
    if len(rest) == 1:
        codes += [_code(key, item, left, data[key]) for key, item in rest.items()]
    elif rest:
        codes.append(_code(f"{len(rest)} more" if blocks or apart else f"{len(rest)} values", rest, left, rest))
    return blocks + _code_blocks(codes, left, see_all)


def in_words(data: Mapping[str, JsonValue], limit: int) -> str:
    """The short values on one line, masked but not escaped: for the text that is read aloud."""
    parts = []
    for key, item in _masked(data).items():
        text = scalar(item) if not isinstance(item, dict | list) else json.dumps(item, ensure_ascii=False)[: limit * 2]
        is_long = len(text) > 200 or "\n" in text
        said = f"{_length(data[key]):,} characters" if is_long and isinstance(item, str) else one_line(text, 200)
        parts.append(f"{key}: {said}")
        if sum(map(len, parts)) > limit:
            break
    return one_line("; ".join(parts), limit)


def _masked(data: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The data without its secrets; of long texts so much that one which begins in what is shown ends in it."""
    return redact({key: item[:_ENOUGH] if isinstance(item, str) else item for key, item in data.items()})


def _length(item: JsonValue) -> int:
    return len(item) if isinstance(item, str) else 0


def _is_short(item: JsonValue) -> bool:
    match item:
        case str():
            return is_address(item) or (len(item) <= _FIELD_LENGTH and not _NOT_FOR_FIELDS.intersection(item))
        case list():
            words = [part for part in item if isinstance(part, str) and part and "," not in part and is_tame(part)]
            return bool(item) and len(words) == len(item) and len(", ".join(words)) <= _FIELD_LENGTH
        case dict():
            return not item
        case _:
            return True


def _field(item: JsonValue) -> str:
    match item:
        case [*parts] if parts:
            return ", ".join(str(part) for part in parts)
        case "" | [] | {}:
            return "_empty_"
        case None:
            return "_none_"
        case _:
            return value(scalar(item), _FIELD_LENGTH)


def _code(key: str, item: JsonValue, budget: int, whole: JsonValue) -> _Code:
    """A labelled value.

    Args:
        item: the masked value; of a long text the beginning.
        whole: the value that it is of; only counted.
    """
    label = one_line(key, 80) or "(no name)"
    most = max(budget, _ROOM_FOR_CODE)
    if isinstance(item, str):
        text = printable(item[:most])
        remark = _diff_remark(whole) if isinstance(whole, str) and _DIFF.search(item) else ""
        return _Code(label=label, remark=remark, text=text, length=_length(whole) if len(item) > most else len(text))
    lines = outline(item)
    text = printable(_first(lines, most))
    is_whole = next(lines, None) is None
    return _Code(label=label, remark="", text=text, length=len(text) if is_whole else len(json.dumps(item)))


def _first(lines: Iterator[str], limit: int) -> str:
    taken: list[str] = []
    size = 0
    while size <= limit and (line := next(lines, None)) is not None:
        taken.append(line)
        size += len(line) + 1
    return "\n".join(taken)


def _diff_remark(text: str) -> str:
    counts = {"file": 0, "old": 0, "added": 0, "removed": 0}
    for found in _DIFF_LINE.finditer(text):
        counts[found.lastgroup or "old"] += 1
    files = f"{counts['file']} file{'s' if counts['file'] != 1 else ''}"
    return f"{files}, +{counts['added']:,} -{counts['removed']:,} lines"


def _code_blocks(codes: list[_Code], budget: int, see_all: str) -> list[Block]:
    blocks = []
    for share, code in zip(
        _shares([len(code.text) for code in codes], budget - _CODE_OVERHEAD * len(codes)), codes, strict=True
    ):
        piece = cut(code.text, max(share, _SMALLEST_CODE), _MOST_LINES)
        notice = ""
        if len(piece.shown) < code.length:
            notice = f"Cut here: {len(piece.shown):,} of {code.length:,} characters are shown. {see_all}"
        blocks.append(code_block(code.label, code.remark, piece.shown, notice))
    return blocks


def _shares(wanted: list[int], budget: int) -> list[int]:
    """The budget, divided so that what is short is shown whole and the long ones share the rest."""
    shares = dict.fromkeys(range(len(wanted)), 0)
    left, open_ones = budget, sorted(shares, key=lambda index: wanted[index])
    while open_ones:
        index = open_ones.pop(0)
        shares[index] = min(wanted[index], max(left, 0) // (len(open_ones) + 1))
        left -= shares[index]
    return list(shares.values())
