"""Blocks for the tests, as small as Slack takes them."""

from pydantic import JsonValue

Block = dict[str, JsonValue]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def section(text: str = "Plan", **more: JsonValue) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(text: str = "Approve", **more: JsonValue) -> Block:
    return {"type": "button", "text": plain(text), **more}


def actions(*elements: JsonValue, **more: JsonValue) -> Block:
    return {"type": "actions", "elements": [*elements], **more}


def options(count: int = 2) -> list[JsonValue]:
    return [{"text": plain(f"Option {n}"), "value": f"v{n}"} for n in range(count)]


def select(count: int = 2, **more: JsonValue) -> Block:
    return {"type": "static_select", "action_id": "pick", "options": options(count), **more}


def text_input(block_id: str = "notes", **more: JsonValue) -> Block:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain("Notes"),
        "element": {"type": "plain_text_input", "action_id": f"{block_id}_text"},
        **more,
    }


def text_element(**more: JsonValue) -> Block:
    return {"type": "plain_text_input", "action_id": "text", **more}


def modal(*blocks: JsonValue, **more: JsonValue) -> Block:
    return {
        "type": "modal",
        "title": plain("Modify"),
        "submit": plain("Send"),
        "blocks": [*blocks] or [text_input()],
        **more,
    }


APPROVAL: list[Block] = [
    section("Ship it?"),
    actions(
        button("Approve", action_id="approve", value="i-1"),
        button("Reject", action_id="reject", value="i-1:no", style="danger"),
        block_id="options",
    ),
]
