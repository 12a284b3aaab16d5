"""The fields of a form as a modal's inputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from handlers.slack.escape import one_line
from handlers.slack.layout import Block, plain
from spectra_bot import FieldKind, FormField, printable, redact

INPUT = "value"
"""The action id of each input, in a block of its own."""

_CHECKBOXES = 10
_MENU = 100
_TYPED = 3_000


def block_id(index: int) -> str:
    """The id of the block that holds a field, by the field's number."""
    return f"field:{index}"


def input_block(index: int, field: FormField) -> Block:
    """A field of a form as a block, its default filled in unless it is a secret."""
    default = field.default if redact({field.name: field.default}) == {field.name: field.default} else None
    is_list_that_may_be_empty = field.kind is FieldKind.LIST and field.limits.get("min_length", 0) < 1
    block: Block = {
        "type": "input",
        "block_id": block_id(index),
        "label": plain(one_line(field.label or field.name, 150), 2_000),
        "optional": not field.required or is_list_that_may_be_empty,
        "element": {**_element(field, default), "action_id": INPUT},
    }
    hint = _hint(field, default)
    if hint:
        block["hint"] = plain(hint, 2_000)
    return block


def _hint(field: FormField, default: JsonValue) -> str:
    hints = [printable(field.help)[:1_500]]
    if field.kind is FieldKind.LIST and not _is_offered(field.choices, _MENU):
        hints.append("One a line.")
    if field.choices and not _is_offered(field.choices, _MENU):
        hints.append(one_line(f"One of: {', '.join(field.choices)}", 400))
    if default in (None, "") and field.default not in (None, "", []):
        hints.append("Left empty, the default applies.")
    if field.kind is FieldKind.TEXT and isinstance(default, str) and len(default) > _TYPED:
        hints.append(f"It has {len(default):,} characters, too many for Slack: change it with `spectra-bot answer`.")
    return " ".join(filter(None, hints))


def _is_offered(choices: Sequence[str], most: int) -> bool:
    return 0 < len(choices) <= most


def _element(field: FormField, default: JsonValue) -> Block:
    match field.kind:
        case FieldKind.BOOLEAN:
            return _radio(default)
        case FieldKind.LIST if _is_offered(field.choices, _CHECKBOXES):
            return _several("checkboxes", field.choices, default)
        case FieldKind.LIST if _is_offered(field.choices, _MENU):
            return _several("multi_static_select", field.choices, default)
        case FieldKind.LIST:
            items = default if isinstance(default, list) else []
            return _text_input("\n".join(str(item) for item in items), multiline=True)
        case FieldKind.TEXT | FieldKind.NUMBER | FieldKind.INTEGER if _is_offered(field.choices, _MENU):
            return _one(field.choices, default)
        case FieldKind.NUMBER | FieldKind.INTEGER:
            return _number_input(field, default)
        case FieldKind.TEXT:
            text = default if isinstance(default, str) else ""
            return _text_input(text, multiline=field.multiline or "\n" in text, limits=field.limits)


def _text_input(text: str, *, multiline: bool, limits: Mapping[str, float] | None = None) -> Block:
    element: Block = {"type": "plain_text_input", "multiline": multiline}
    if text and len(text) <= _TYPED:
        element["initial_value"] = text
    for name in ("min_length", "max_length"):
        limit = (limits or {}).get(name)
        if limit is not None and 1 <= limit <= _TYPED:
            element[name] = int(limit)
    return element


def _number_input(field: FormField, default: JsonValue) -> Block:
    is_whole = field.kind is FieldKind.INTEGER
    element: Block = {"type": "number_input", "is_decimal_allowed": not is_whole}
    if isinstance(default, int | float) and not isinstance(default, bool):
        element["initial_value"] = _digits(default)
    lowest, highest = field.limits.get("ge"), field.limits.get("le")
    if is_whole and lowest is None and "gt" in field.limits:
        lowest = field.limits["gt"] + 1
    if is_whole and highest is None and "lt" in field.limits:
        highest = field.limits["lt"] - 1
    if lowest is not None:
        element["min_value"] = _digits(lowest)
    if highest is not None:
        element["max_value"] = _digits(highest)
    return element


def _digits(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:f}".rstrip("0")


def _radio(default: JsonValue) -> Block:
    yes, no = _choice("Yes", "true"), _choice("No", "false")
    element: Block = {"type": "radio_buttons", "options": [yes, no]}
    if isinstance(default, bool):
        element["initial_option"] = yes if default else no
    return element


def _one(choices: Sequence[str], default: JsonValue) -> Block:
    offered = _offered(choices)
    options: list[JsonValue] = [*offered]
    element: Block = {"type": "static_select", "options": options}
    if default is not None and str(default) in choices:
        element["initial_option"] = offered[choices.index(str(default))]
    return element


def _several(kind: str, choices: Sequence[str], default: JsonValue) -> Block:
    offered = _offered(choices)
    options: list[JsonValue] = [*offered]
    element: Block = {"type": kind, "options": options}
    chosen = [str(item) for item in default] if isinstance(default, list) else []
    initial: list[JsonValue] = [offered[index] for index, choice in enumerate(choices) if choice in chosen]
    if initial:
        element["initial_options"] = initial
    return element


def _offered(choices: Sequence[str]) -> list[Block]:
    """Choices by number: a choice may be longer than the value of Slack's option."""
    return [_choice(choice, str(index)) for index, choice in enumerate(choices)]


def _choice(text: str, value: str) -> Block:
    return {"text": plain(one_line(text, 75), 75), "value": value}
