"""What an option may ask for besides the press of its button: a few fields, as data.

A form is written as a pydantic model and stored as fields, so that every surface can draw it and every process can
check what was filled in, also one that has never imported the model. Where the model is loaded, it is the model that
validates, its own validators included.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from spectra_bot.errors import InvalidAnswerError, InvalidJsonError, InvalidRequestError
from spectra_bot.forms.field import FieldKind, FormField
from spectra_bot.forms.schema import field_of
from spectra_bot.json_values import to_json_value

_TYPES: dict[FieldKind, Any] = {
    FieldKind.TEXT: str,
    FieldKind.NUMBER: float,
    FieldKind.INTEGER: int,
    FieldKind.BOOLEAN: bool,
}


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
        try:
            schema = model.model_json_schema()
        except PydanticInvalidForJsonSchema as error:
            raise InvalidRequestError(f"form {model.__name__}: {error.message}") from error
        required = set(schema.get("required", ()))
        starts_empty = {info.alias or name for name, info in model.model_fields.items() if info.default_factory is list}
        fields = [
            field_of(
                model,
                name,
                {"default": []} | spec if name in starts_empty else spec,
                schema.get("$defs", {}),
                name in required,
            )
            for name, spec in schema.get("properties", {}).items()
        ]
        if not fields:
            raise InvalidRequestError(f"form {model.__name__} has no fields")
        return cls(fields=tuple(fields), model=f"{model.__module__}:{model.__qualname__}")

    def validated(self, data: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The data as the form's model holds it, by the form's own names; `notes` may stand beside its fields.

        Raises:
            InvalidAnswerError: with a problem per field.
        """
        if self.free:
            return dict(data)
        names = [field.name for field in self.fields]
        wrong = {name: "the form has no such field" for name in data if name not in (*names, "notes")}
        model = self._loaded_model() or self._model_of_fields()
        filled: dict[str, JsonValue] = {}
        try:
            given = {field.name: _as_choices(field, data[field.name]) for field in self.fields if field.name in data}
            dumped = model.model_validate(given).model_dump(mode="json", by_alias=True)
            for name in names:
                filled[name] = to_json_value(dumped.get(name), name)
        except ValidationError as error:
            wrong |= problems(error)
        except InvalidJsonError as error:
            is_number = isinstance(dumped.get(name), float)
            wrong[name] = "Input should be a finite number" if is_number else str(error).removeprefix(f"{name}: ")
        if wrong:
            raise InvalidAnswerError("the form is not filled in right", wrong)
        return filled

    def _loaded_model(self) -> type[BaseModel] | None:
        """The model itself, where its module is loaded and it still describes these fields."""
        module, _, name = (self.model or ":").partition(":")
        found: object = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        try:
            if isinstance(found, type) and issubclass(found, BaseModel) and _checked(Form.of(found)) == _checked(self):
                return found
        except InvalidRequestError:  # it was a form once, and is none any more
            return None
        return None

    def _model_of_fields(self) -> type[BaseModel]:
        """A model with the stored fields and limits, for a process that has not loaded the original."""
        definitions: dict[str, Any] = {}
        for index, field in enumerate(self.fields):
            is_list = field.kind is FieldKind.LIST
            item: Any = _TYPES[field.items if is_list else field.kind]
            if field.choices:
                item = Literal[tuple(_as_choices(field, list(field.choices)))]
            item = _limited(item, field.item_limits if is_list else field.limits, field.pattern)
            kind = _limited(list[item], field.limits) if is_list else item
            default = ... if field.required else field.default
            # By alias, for a form may well have a field that is called as something of pydantic's own.
            definitions[f"f{index}"] = (kind | None if field.nullable else kind, Field(default, alias=field.name))
        return create_model("Form", __config__=ConfigDict(regex_engine="python-re"), **definitions)


def _checked(form: Form) -> Form:
    """A form without what is only suggested: the default of a field that has to be filled in."""
    fields = [field.model_copy(update={"default": None}) if field.required else field for field in form.fields]
    return form.model_copy(update={"fields": tuple(fields)})


FREE_FORM = Form(
    fields=(FormField(name="notes", label="What should change?", kind=FieldKind.TEXT, multiline=True),),
    free=True,
)
"""What `modify` and `edit` offer by themselves."""

WHY_FORM = Form(
    fields=(FormField(name="notes", label="Why", kind=FieldKind.TEXT, required=False, nullable=True, multiline=True),)
)
"""A note, for options whose reason matters: Slack has no other place for one. It may be left empty."""


def problems(error: ValidationError) -> dict[str, str]:
    """A pydantic error as one problem a top-level field."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        top, *rest = item["loc"] or ("",)
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
        message = item["msg"].removeprefix("Value error, ")
        found.setdefault(str(top), f"{where.lstrip('.')}: {message}" if where else message)
    return found


def _limited(kind: Any, limits: Mapping[str, int | float], pattern: str | None = None) -> Any:
    constraints: dict[str, Any] = dict(limits)
    if pattern is not None:
        constraints["pattern"] = pattern
    return Annotated[kind, Field(**constraints)] if constraints else kind


def _as_choices(field: FormField, value: Any) -> Any:
    """Numbers that are chosen among come as the texts that were shown; as they are where they are none."""
    if not field.choices or FieldKind.INTEGER not in (field.kind, field.items):
        return value
    if isinstance(value, list):
        return [_as_choices(field, item) for item in value]
    return int(value) if isinstance(value, str) and value in field.choices else value
