"""A modal for an option's form, and what was filled into it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from handlers.slack.escape import one_line
from handlers.slack.layout import Block, mrkdwn, paragraph, plain
from spectra_bot import FieldKind, Form, FormField, InterruptOption, InterruptRequest, printable, redact

CALLBACK_ID = "spectra:form"
MOST_FIELDS = 90
"""A modal holds 100 blocks."""

_INPUT = "value"
_CHECKBOXES = 10
_MENU = 100
_TYPED = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPlace:
    """Which option a modal is for, and which message it was opened from."""

    interrupt_id: str
    option_id: str
    channel: str = ""
    ts: str = ""

    def as_text(self) -> str:
        """For a view's `private_metadata`."""
        parts = {"interrupt": self.interrupt_id, "option": self.option_id, "channel": self.channel, "ts": self.ts}
        return json.dumps(parts, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> FormPlace | None:
        """What `as_text` wrote; None where it is none of ours."""
        try:
            read = json.loads(text)
        except ValueError:
            return None
        match read:
            case {"interrupt": str(interrupt), "option": str(option), "channel": str(channel), "ts": str(ts)}:
                return cls(interrupt_id=interrupt, option_id=option, channel=channel, ts=ts)
            case _:
                return None


def form_modal(request: InterruptRequest, option: InterruptOption, form: Form, place: FormPlace) -> Block:
    """The form of an option, with its defaults filled in."""
    reason = printable(redact(request.reason)).strip()
    blocks: list[JsonValue] = [paragraph(one_line(reason, 600))]
    blocks += [_input(index, field) for index, field in enumerate(form.fields[:MOST_FIELDS])]
    return {
        "type": "modal",
        "callback_id": CALLBACK_ID,
        "private_metadata": place.as_text(),
        "title": plain(one_line(option.label, 24), 24),
        "submit": plain(one_line(option.label, 24), 24),
        "close": plain("Cancel", 24),
        "blocks": blocks,
    }


def notice_modal(title: str, text: str) -> Block:
    """A few words in place of a form; `text` is markup."""
    blocks: list[JsonValue] = [{"type": "section", "text": mrkdwn(text)}]
    return {"type": "modal", "title": plain(title, 24), "close": plain("Close", 24), "blocks": blocks}


def read_form(form: Form, values: JsonValue) -> dict[str, JsonValue]:
    """What a person filled in, by field name; what they left empty and has a default is left out.

    Args:
        values: a submitted view's `state.values`.
    """
    filled: dict[str, JsonValue] = {}
    blocks = values if isinstance(values, dict) else {}
    for index, field in enumerate(form.fields[:MOST_FIELDS]):
        block = blocks.get(_block_id(index))
        element = block.get(_INPUT) if isinstance(block, dict) else None
        given = _given(field, element if isinstance(element, dict) else {})
        if given is not None:
            filled[field.name] = given
    return filled


def form_errors(form: Form, fields: Mapping[str, str]) -> dict[str, str]:
    """A problem under each field that has one; what belongs to no field stands under the first."""
    known = {field.name: index for index, field in enumerate(form.fields[:MOST_FIELDS])}
    errors = {_block_id(known[name]): printable(problem)[:500] for name, problem in fields.items() if name in known}
    rest = "; ".join(f"{name}: {problem}" if name else problem for name, problem in fields.items() if name not in known)
    if rest:
        errors[_block_id(0)] = " ".join(filter(None, [errors.get(_block_id(0), ""), printable(rest)[:500]]))
    return errors


def _block_id(index: int) -> str:
    return f"field:{index}"


def _input(index: int, field: FormField) -> Block:
    default = field.default if redact({field.name: field.default}) == {field.name: field.default} else None
    is_list_that_may_be_empty = field.kind is FieldKind.LIST and field.limits.get("min_length", 0) < 1
    block: Block = {
        "type": "input",
        "block_id": _block_id(index),
        "label": plain(one_line(field.label or field.name, 150), 2_000),
        "optional": not field.required or is_list_that_may_be_empty,
        "element": {**_element(field, default), "action_id": _INPUT},
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


def _given(field: FormField, element: Block) -> JsonValue:
    """The value of one field; None to leave it to its default."""
    may_be_nothing = field.default is None and not field.required
    match element:
        case {"selected_options": list(chosen)}:
            picked: list[JsonValue] = [_chosen(field, option) for option in chosen]
            return None if not picked and may_be_nothing else picked
        case {"selected_option": dict(option)}:
            return _chosen(field, option)
        case {"value": str(text)} if text.strip():
            return _number(field, field.parse(text))
        case {"type": "plain_text_input"} if may_be_nothing:
            return None
        case {"type": "plain_text_input"}:
            return [] if field.kind is FieldKind.LIST else ""
        case _:
            return None


def _chosen(field: FormField, option: JsonValue) -> JsonValue:
    value = option.get("value") if isinstance(option, dict) else None
    if field.kind is FieldKind.BOOLEAN:
        return value == "true"
    index = int(value) if isinstance(value, str) and value.isdecimal() else -1
    return field.choices[index] if 0 <= index < len(field.choices) else value


def _number(field: FormField, value: JsonValue) -> JsonValue:
    """What was typed as a number, where it is one; the form's model says what is wrong with it otherwise."""
    if not isinstance(value, str) or field.kind not in (FieldKind.NUMBER, FieldKind.INTEGER):
        return value
    try:
        return int(value) if field.kind is FieldKind.INTEGER else float(value)
    except ValueError:
        return value
