"""A modal for an option's form, and what was filled into it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from handlers.slack.escape import one_line
from handlers.slack.inputs import INPUT, block_id, input_block
from handlers.slack.layout import Block, mrkdwn, paragraph, plain
from spectra_bot import FieldKind, Form, FormField, InterruptOption, InterruptRequest, printable, redact

CALLBACK_ID = "spectra:form"
MOST_FIELDS = 90
"""A modal holds 100 blocks."""


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
        return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)

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
    blocks += [input_block(index, field) for index, field in enumerate(form.fields[:MOST_FIELDS])]
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
        block = blocks.get(block_id(index))
        element = block.get(INPUT) if isinstance(block, dict) else None
        given = _given(field, element if isinstance(element, dict) else {})
        if given is not None:
            filled[field.name] = given
    return filled


def form_errors(form: Form, fields: Mapping[str, str]) -> dict[str, str]:
    """A problem under each field that has one; what belongs to no field stands under the first."""
    known = {field.name: index for index, field in enumerate(form.fields[:MOST_FIELDS])}
    errors = {block_id(known[name]): printable(problem)[:500] for name, problem in fields.items() if name in known}
    rest = "; ".join(f"{name}: {problem}" if name else problem for name, problem in fields.items() if name not in known)
    if rest:
        errors[block_id(0)] = " ".join(filter(None, [errors.get(block_id(0), ""), printable(rest)[:500]]))
    return errors


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
