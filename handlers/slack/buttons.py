"""A button for each option, and reading a pressed one back. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import JsonValue

from handlers.slack.escape import one_line
from handlers.slack.layout import Block, plain
from spectra_bot import InterruptOption, InterruptRequest, printable

OPTION_PREFIX = "spectra:option:"
"""What the action id of every such button begins with; the option's id follows."""

_CONFIRM_TEXTS = 2_500
"""What the texts of all confirm dialogs of a message may take together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressedButton:
    """What a button stands for."""

    interrupt_id: str
    option_id: str
    has_form: bool = False


def buttons(request: InterruptRequest) -> list[Block]:
    """The buttons in the order of the options: coloured by style, and asking once more where the option says so."""
    confirming = sum(1 for option in request.options if option.confirm)
    return [_button(request, option, _CONFIRM_TEXTS // max(confirming, 1)) for option in request.options]


def _button(request: InterruptRequest, option: InterruptOption, room: int) -> Block:
    meant: dict[str, JsonValue] = {"interrupt": request.id, "option": option.id}
    if option.form:
        meant["form"] = True
    value = json.dumps(meant, separators=(",", ":"), ensure_ascii=False)
    label = one_line(option.label, 73 if option.form else 75) or option.id
    button: Block = {
        "type": "button",
        "action_id": f"{OPTION_PREFIX}{option.id}",
        "text": plain(f"{label}…" if option.form and not label.endswith("…") else label, 75),
        "value": value,
    }
    if option.style != "default":
        button["style"] = option.style
    if option.confirm:
        label = one_line(option.label, 30) if room >= 300 else "Yes"
        dialog: Block = {
            "title": plain(f"{label}?" if room >= 300 else "Are you sure?", 100),
            "text": plain(printable(option.confirm), min(300, room)),
            "confirm": plain(label, 30),
            "deny": plain("Go back", 30),
        }
        if option.style == "danger":
            dialog["style"] = "danger"
        button["confirm"] = dialog
    return button


def read_button(value: JsonValue) -> PressedButton | None:
    """What was pressed; None where the value is none of ours."""
    try:
        read = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None
    match read:
        case {"interrupt": str(interrupt_id), "option": str(option_id), **rest}:
            return PressedButton(interrupt_id=interrupt_id, option_id=option_id, has_form=rest.get("form") is True)
        case _:
            return None
