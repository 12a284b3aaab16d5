"""Fills in an option's form, a field at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from pydantic import JsonValue

from handlers.console.editor import Edit
from handlers.console.view import short_text
from spectra_bot import FieldKind, Form, FormField, InvalidAnswerError, redact

MOST_CHOICES = 10
"""So many are named in a prompt; the question itself shows what there is."""

_HINTS = {
    FieldKind.TEXT: "",
    FieldKind.NUMBER: "a number",
    FieldKind.INTEGER: "a whole number",
    FieldKind.BOOLEAN: "yes or no",
    FieldKind.LIST: "separated by commas",
}


async def fill_in(
    form: Form, ask: Callable[[str], Awaitable[str]], say: Callable[[str], None], edit: Edit
) -> dict[str, JsonValue]:
    """Ask for each field, tell what does not fit, and ask for that again, until the form is right.

    Args:
        edit: has a text of several lines changed, which no line of a prompt can hold.

    Raises:
        EOFError: the person gave up.
    """
    data: dict[str, JsonValue] = {}
    open_fields = list(form.fields)
    while True:
        for field in open_fields:
            if (text := _to_edit(field, data.pop(field.name, field.default))) is not None:
                say(f"{_label(field)}: in the editor")
                data[field.name] = await edit(text)
                continue
            typed = await ask(f"{_label(field)}: ")
            if typed:
                data[field.name] = field.parse(typed)
        if form.free and not data:
            say("  something has to be said; Ctrl-D leaves the question open")
            continue
        try:
            return form.validated(data)
        except InvalidAnswerError as error:
            for name, problem in error.fields.items():
                say(f"  {name}: {problem}" if name else f"  {problem}")
            # A problem of the form as a whole names no field: then all of it is asked again.
            open_fields = [field for field in form.fields if field.name in error.fields] or list(form.fields)


def _to_edit(field: FormField, text: JsonValue) -> str | None:
    """The lines that are to be changed; None where a line is typed, or where they hold a secret to be masked."""
    if not (field.multiline and isinstance(text, str) and "\n" in text):
        return None
    return text if redact({field.name: text}) == {field.name: text} else None


def _label(field: FormField) -> str:
    hints = [
        f"{'some' if field.kind is FieldKind.LIST else 'one'} of {_listed(field.choices)}" if field.choices else "",
        _HINTS[field.kind],
        "" if field.required else f"empty: {_default(field)}",
    ]
    said = "; ".join(hint for hint in hints if hint)
    help_text = f" - {field.help}" if field.help else ""
    return f"{field.label}{help_text}{f' ({said})' if said else ''}"


def _listed(choices: Sequence[str]) -> str:
    return ", ".join(choices[:MOST_CHOICES]) + (", ..." if len(choices) > MOST_CHOICES else "")


def _default(field: FormField) -> str:
    return short_text(field.default) or "the default" if field.default not in (None, "") else "none"
