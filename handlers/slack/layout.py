"""The few shapes of Block Kit that we use, and what they weigh. Pure.

Blocks carry no `block_id`: Slack then makes a fresh one on each update, as it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

Block = dict[str, JsonValue]

MAX_TEXT = 3_500
"""Of the top-level text: a message that is updated may hold 4,000 characters."""
MAX_WEIGHT = 10_500
"""Of a message's blocks, by `weight`. Slack refuses somewhere above 12,000 and publishes no number:
https://github.com/slackapi/bolt-js/issues/2509"""
_BLOCK_WEIGHT = 40
_ELEMENT_TEXT = 2_900
_MARKUP = frozenset("<>&*_~`")


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A Slack user within a text."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is posted: the blocks, and the text that notifications and screen readers read instead."""

    text: str
    blocks: tuple[Block, ...] = ()


def weight(blocks: Iterable[Block]) -> int:
    """How much of Slack's limit the blocks use up: their texts, and a little for each block."""
    return sum(_texts(block) + _BLOCK_WEIGHT for block in blocks)


def _texts(value: JsonValue) -> int:
    match value:
        case dict():
            return sum(
                len(item) if key == "text" and isinstance(item, str) else _texts(item) for key, item in value.items()
            )
        case list():
            return sum(_texts(item) for item in value)
        case _:
            return 0


def plain(text: str, limit: int = 3_000) -> Block:
    """A text object in which nothing is markup; foreign text goes in as it is."""
    return {"type": "plain_text", "text": _within(text, limit) or "(empty)", "emoji": False}


def mrkdwn(text: str, limit: int = 3_000) -> Block:
    """A text object of our own words; what is foreign in it was escaped by its caller."""
    return {"type": "mrkdwn", "text": _within(text, limit)}


def title(text: str) -> list[Block]:
    """Foreign text as a heading: its first line, where that is short, and the rest under it."""
    first, _, rest = text.strip().partition("\n")
    if len(first) > 150:
        return [paragraph(text.strip())]
    # A header is drawn larger, and is plain text to Slack. Other clients read markup in it, so it gets none.
    is_simple = not _MARKUP.intersection(first)
    heading: Block = {"type": "header", "text": plain(first, 150)} if is_simple else paragraph(first)
    return [heading, *([paragraph(rest.strip(), style=None)] if rest.strip() else [])]


def paragraph(text: str, style: str | None = "bold") -> Block:
    """Foreign text as it stands; rich text has no markup."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": _runs(text, style)}]}


def section(text: str) -> Block:
    return {"type": "section", "text": mrkdwn(text), "expand": True}


def sections(lines: Iterable[str]) -> list[Block]:
    """Lines of our own words, as many to a section as it holds."""
    blocks: list[Block] = []
    together = ""
    for line in lines:
        if together and len(together) + len(line) + 1 > _ELEMENT_TEXT:
            blocks.append(section(together))
            together = ""
        together = f"{together}\n{line}" if together else line
    return [*blocks, section(together)] if together else blocks


def fitted(blocks: Sequence[Block], notice: str, most: int = 49) -> tuple[Block, ...]:
    """As many blocks as one message holds, with a notice where there are more."""
    kept: list[Block] = []
    size = 0
    for block in blocks:
        size += weight([block])
        if size > MAX_WEIGHT or len(kept) == most:
            return (*kept, context(notice))
        kept.append(block)
    return tuple(kept)


def context(*lines: str) -> Block:
    elements: list[JsonValue] = [mrkdwn(line) for line in lines[:10]]
    return {"type": "context", "elements": elements}


def divider() -> Block:
    return {"type": "divider"}


def fields(pairs: Sequence[tuple[str, str]]) -> list[Block]:
    """Names and values side by side, ten to a section; both are markup."""
    return [
        {"type": "section", "fields": [mrkdwn(f"{name}\n{text}", 2_000) for name, text in pairs[start : start + 10]]}
        for start in range(0, len(pairs), 10)
    ]


def code_block(label: str, remark: str, text: str, notice: str = "") -> Block:
    """A labelled block of code; as rich text it has no markup that foreign text could break out of."""
    head: list[JsonValue] = [_run(label, "bold")]
    if remark:
        head.append(_run(f"  {remark}"))
    elements: list[JsonValue] = [{"type": "rich_text_section", "elements": head}]
    elements.append({"type": "rich_text_preformatted", "elements": _runs(text)})
    if notice:
        elements.append({"type": "rich_text_section", "elements": [_run(notice, "italic")]})
    return {"type": "rich_text", "elements": elements}


def quote(label: str, pieces: Iterable[str | Mentioned]) -> Block:
    """What somebody wrote, under who or what it is."""
    quoted: list[JsonValue] = []
    for piece in pieces:
        quoted += [{"type": "user", "user_id": piece.user}] if isinstance(piece, Mentioned) else _runs(piece)
    elements: list[JsonValue] = [
        {"type": "rich_text_section", "elements": [_run(label, "bold")]},
        {"type": "rich_text_quote", "elements": quoted or _runs("")},
    ]
    return {"type": "rich_text", "elements": elements}


def actions(buttons: Sequence[Block]) -> Block:
    elements: list[JsonValue] = [*buttons[:25]]
    return {"type": "actions", "elements": elements}


def _runs(text: str, style: str | None = None) -> list[JsonValue]:
    starts = range(0, len(text), _ELEMENT_TEXT)
    return [_run(text[start : start + _ELEMENT_TEXT], style) for start in starts] or [_run("(empty)", "italic")]


def _run(text: str, style: str | None = None) -> Block:
    run: Block = {"type": "text", "text": text}
    if style:
        run["style"] = {style: True}
    return run


def _within(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
