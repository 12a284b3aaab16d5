"""Slack's limits as tests of our own, beside what slack_sdk's models check.

https://docs.slack.dev/reference/block-kit/blocks and its pages on views and composition objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.views import View

from handlers.slack.layout import Block, Message, weight

MOST_CHARACTERS: Mapping[tuple[str, str], int] = {
    ("header", "text"): 150,
    ("section", "text"): 3_000,
    ("section", "fields"): 2_000,
    ("context", "elements"): 3_000,
    ("button", "text"): 75,
    ("button", "value"): 2_000,
    ("button", "url"): 3_000,
    ("confirm", "title"): 100,
    ("confirm", "text"): 300,
    ("confirm", "confirm"): 30,
    ("confirm", "deny"): 30,
    ("option", "text"): 75,
    ("option", "value"): 150,
    ("input", "label"): 2_000,
    ("input", "hint"): 2_000,
    ("plain_text_input", "initial_value"): 3_000,
    ("modal", "title"): 24,
    ("modal", "submit"): 24,
    ("modal", "close"): 24,
    ("modal", "private_metadata"): 3_000,
    ("modal", "callback_id"): 255,
}
MOST_ITEMS: Mapping[tuple[str, str], int] = {
    ("section", "fields"): 10,
    ("context", "elements"): 10,
    ("actions", "elements"): 25,
    ("overflow", "options"): 5,
    ("radio_buttons", "options"): 10,
    ("checkboxes", "options"): 10,
    ("static_select", "options"): 100,
    ("multi_static_select", "options"): 100,
    ("modal", "blocks"): 100,
}


def check_message(message: Message) -> None:
    """Fail where Slack, or slack_sdk's validators, would refuse a message."""
    assert message.text.strip(), "a screen reader reads the text"
    assert len(message.text) <= 4_000, "chat.update refuses a longer one"
    assert len(message.blocks) <= 50
    assert weight(message.blocks) <= 12_000, "msg_blocks_too_long"
    _check(list(message.blocks))
    for block in SdkBlock.parse_all(list(message.blocks)):
        block.validate_json()


def check_view(view: Block) -> None:
    """Fail where Slack, or slack_sdk's validators, would refuse a modal."""
    assert len(json.dumps(view)) <= 250 * 1024
    has_inputs = any(block["type"] == "input" for block in blocks_of(view))
    assert "submit" in view or not has_inputs
    _check([view])
    fields: dict[str, Any] = {**view}
    View(**fields).validate_json()


def blocks_of(view: Block) -> list[Any]:
    """The blocks of a view."""
    blocks = view["blocks"]
    assert isinstance(blocks, list)
    return blocks


def texts(value: object) -> Iterator[tuple[str, str]]:
    """Every text object or element, as its type and what it holds."""
    match value:
        case {"type": str(kind), "text": str(text)}:
            yield kind, text
        case Mapping():
            for item in value.values():
                yield from texts(item)
        case list() | tuple():
            for item in value:
                yield from texts(item)
        case _:
            return


def markup(blocks: Sequence[Block]) -> list[str]:
    """What Slack reads markup in."""
    return [text for kind, text in texts(blocks) if kind == "mrkdwn"]


def _check(value: object, kind: str = "") -> None:
    match value:
        case Mapping():
            kind = _kind(value, kind)
            for key, item in value.items():
                _check_entry(kind, str(key), item)
                _check(
                    item, "confirm" if key == "confirm" and isinstance(item, Mapping) and "title" in item else str(key)
                )
        case list() | tuple():
            ids = [item.get("block_id") for item in value if isinstance(item, Mapping) and "block_id" in item]
            actions = [item.get("action_id") for item in value if isinstance(item, Mapping) and "action_id" in item]
            assert len(set(ids)) == len(ids), "a block_id twice"
            assert len(set(actions)) == len(actions), "an action_id twice in one block"
            for item in value:
                _check(item, kind)
        case _:
            return


def _kind(value: Mapping[str, Any], key: str) -> str:
    if key == "confirm":
        return "confirm"
    if key in ("options", "option", "initial_option", "initial_options"):
        return "option"
    return str(value.get("type", key))


def _check_entry(kind: str, key: str, item: object) -> None:
    if key in ("action_id", "block_id"):
        assert isinstance(item, str)
        assert 1 <= len(item) <= 255
    if isinstance(item, list) and (kind, key) in MOST_ITEMS:
        assert 1 <= len(item) <= MOST_ITEMS[kind, key], (kind, key, len(item))
    for text in item if isinstance(item, list) else [item]:
        shown = text.get("text") if isinstance(text, Mapping) else text
        if isinstance(shown, str):
            assert shown or key in ("initial_value", "style", "private_metadata"), (kind, key, "empty")
            assert len(shown) <= MOST_CHARACTERS.get((kind, key), 100_000), (kind, key, len(shown))
