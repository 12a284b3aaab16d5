"""What an option may ask for besides the press of its button: a few fields, as data.

A form is written as a pydantic model and stored as fields, so that every surface can draw it and every process can
check what was filled in, also one that has never imported the model. Where the model is loaded, it is the model that
validates, its own validators included.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from spectra_bot.errors import InvalidAnswerError, InvalidRequestError


class FieldKind(StrEnum):
    """What a form's field holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LIST = "list"


_KINDS = {
    "string": FieldKind.TEXT,
    "number": FieldKind.NUMBER,
    "integer": FieldKind.INTEGER,
    "boolean": FieldKind.BOOLEAN,
    "array": FieldKind.LIST,
}
_TYPES: dict[FieldKind, Any] = {
    FieldKind.TEXT: str,
    FieldKind.NUMBER: float,
    FieldKind.INTEGER: int,
    FieldKind.BOOLEAN: bool,
}


class FormField(BaseModel):
    """One field of a form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label: str
    kind: FieldKind
    required: bool = True
    default: JsonValue = None
    help: str = ""
    multiline: bool = False
    choices: tuple[str, ...] = ()
    items: FieldKind = FieldKind.TEXT
    limits: dict[str, float] = Field(default_factory=dict)
    """pydantic's own constraints by name: ge, gt, le, lt, min_length, max_length."""

    def parse(self, text: str) -> JsonValue:
        """What a person typed, as this field's value: a list has an item a line, or between commas."""
        stripped = text.strip()
        if self.kind is FieldKind.LIST:
            parts = stripped.splitlines() if "\n" in stripped else stripped.split(",")
            return [part.strip() for part in parts if part.strip()]
        return text if self.kind is FieldKind.TEXT else stripped


class Form(BaseModel):
    """The fields that an option asks for.

    A `free` form is drawn, but anything may be sent: it is what `modify` and `edit` offer when no model is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: tuple[FormField, ...]
    model: str | None = None
    """`module:Name` of the pydantic model it was made from, used only if that module is loaded."""
    free: bool = False

    @classmethod
    def of(cls, model: type[BaseModel]) -> Form:
        """The form that a pydantic model describes.

        Raises:
            InvalidRequestError: a field is neither text, number, boolean nor a list of these.
        """
        schema = model.model_json_schema()
        required = set(schema.get("required", ()))
        fields = [
            _field(model, name, spec, schema.get("$defs", {}), name in required)
            for name, spec in schema.get("properties", {}).items()
        ]
        if not fields:
            raise InvalidRequestError(f"form {model.__name__} has no fields")
        return cls(fields=tuple(fields), model=f"{model.__module__}:{model.__qualname__}")

    def validated(self, data: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The data as the form's model holds it.

        Raises:
            InvalidAnswerError: with a problem per field.
        """
        if self.free:
            return dict(data)
        try:
            return (self._loaded_model() or self._model_of_fields()).model_validate(data).model_dump(mode="json")
        except ValidationError as error:
            raise InvalidAnswerError("the form is not filled in right", problems(error)) from error

    def _loaded_model(self) -> type[BaseModel] | None:
        """The model itself, where its module is loaded and it still describes these fields."""
        module, _, name = (self.model or ":").partition(":")
        found: object = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, BaseModel) and Form.of(found) == self:
            return found
        return None

    def _model_of_fields(self) -> type[BaseModel]:
        """A model with the stored fields and limits, for a process that has not loaded the original."""
        definitions: dict[str, Any] = {}
        for field in self.fields:
            item: Any = Literal[field.choices] if field.choices else _TYPES.get(field.kind, str)
            if field.kind is FieldKind.LIST:
                item = list[Literal[field.choices] if field.choices else _TYPES[field.items]]  # type: ignore[misc]  # made at run time
            kind = item if field.required else item | None
            limits: dict[str, Any] = dict(field.limits)
            default = ... if field.required else field.default
            definitions[field.name] = (kind, Field(default, **limits))
        return create_model("Form", __config__=ConfigDict(extra="forbid"), **definitions)


FREE_FORM = Form(
    fields=(FormField(name="notes", label="What should change?", kind=FieldKind.TEXT, multiline=True),),
    free=True,
)
"""What `modify` and `edit` offer by themselves."""


def problems(error: ValidationError) -> dict[str, str]:
    """A pydantic error as one problem a top-level field."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        top, *rest = item["loc"] or ("",)
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
        message = item["msg"].removeprefix("Value error, ")
        found.setdefault(str(top), f"{where.lstrip('.')}: {message}" if where else message)
    return found


_LIMITS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}


def _field(model: type[BaseModel], name: str, spec: dict[str, Any], defs: dict[str, Any], required: bool) -> FormField:
    core = _resolved(spec, defs)
    kind = _KINDS.get(core.get("type", ""))
    items = _resolved(core.get("items", {"type": "string"}), defs) if kind is FieldKind.LIST else core
    item_kind = _KINDS.get(items.get("type", ""))
    if kind is None or item_kind in (None, FieldKind.LIST):
        raise InvalidRequestError(
            f"form {model.__name__}, field {name!r}: a form holds text, number, boolean and list fields only"
        )
    return FormField(
        name=name,
        label=core.get("title") or spec.get("title") or name.replace("_", " ").capitalize(),
        kind=kind,
        required=required,
        default=spec.get("default"),
        help=spec.get("description", core.get("description", "") if "$ref" not in spec else ""),
        multiline=bool(core.get("multiline", spec.get("multiline", False))),
        choices=tuple(str(choice) for choice in items.get("enum", [items["const"]] if "const" in items else [])),
        items=item_kind if kind is FieldKind.LIST and item_kind else FieldKind.TEXT,
        limits={_LIMITS[key]: value for key, value in core.items() if key in _LIMITS},
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
