"""A pydantic model's JSON schema, read as the fields of a form."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from spectra_bot.errors import InvalidRequestError
from spectra_bot.forms.field import FieldKind, FormField

_KINDS = {
    "string": FieldKind.TEXT,
    "number": FieldKind.NUMBER,
    "integer": FieldKind.INTEGER,
    "boolean": FieldKind.BOOLEAN,
    "array": FieldKind.LIST,
}
_LIMITS = {
    "multipleOf": "multiple_of",
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_UNCHECKED = frozenset({"format", "prefixItems", "uniqueItems"})
"""What a process that has not loaded the model can't check: dates, addresses, secrets, pairs, sets."""


def field_of(
    model: type[BaseModel], name: str, spec: dict[str, Any], defs: dict[str, Any], required: bool
) -> FormField:
    """The field that a property of a model's schema describes.

    Raises:
        InvalidRequestError: it is neither text, number, boolean nor a list of these.
    """
    core = _resolved(spec, defs)
    kind = _KINDS.get(core.get("type", ""))
    items = _resolved(core.get("items", {}), defs) if kind is FieldKind.LIST else core
    item_kind = _KINDS.get(items.get("type", ""))
    choices = items.get("enum", [items["const"]] if "const" in items else [])
    if (
        kind is None
        or item_kind in (None, FieldKind.LIST)
        or not all(type(choice) in (str, int) for choice in choices)
        or _UNCHECKED & {*core, *items}
        or (kind is FieldKind.LIST and "anyOf" in core["items"])
    ):
        raise InvalidRequestError(
            f"form {model.__name__}, field {name!r}: a form holds text, number, boolean and list fields only"
        )
    return FormField(
        name=name,
        label=core.get("title") or spec.get("title") or name.replace("_", " ").capitalize(),
        kind=kind,
        required=required,
        nullable={"type": "null"} in spec.get("anyOf", ()),
        default=spec.get("default"),
        help=spec.get("description", core.get("description", "") if "$ref" not in spec else ""),
        multiline=bool(core.get("multiline", spec.get("multiline", False))),
        choices=tuple(str(choice) for choice in choices),
        items=item_kind if kind is FieldKind.LIST and item_kind else FieldKind.TEXT,
        limits={_LIMITS[key]: value for key, value in core.items() if key in _LIMITS},
        item_limits={_LIMITS[key]: value for key, value in items.items() if key in _LIMITS and items is not core},
        pattern=items.get("pattern"),
    )


def _resolved(spec: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, or behind `X | None`."""
    if "anyOf" in spec:
        kinds = [kind for kind in spec["anyOf"] if kind.get("type") != "null"]
        spec = {**spec, **kinds[0]} if len(kinds) == 1 else {}
    if "$ref" in spec:
        target: dict[str, Any] = defs.get(spec["$ref"].removeprefix("#/$defs/"), {})
        return {**target, "title": spec.get("title", "")} if "enum" in target else target
    return spec
