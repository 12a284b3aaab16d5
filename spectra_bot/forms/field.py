"""One field of a form: what it holds, what it allows, and how what was typed is read."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class FieldKind(StrEnum):
    """What a form's field holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LIST = "list"


class FormField(BaseModel):
    """One field of a form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label: str
    kind: FieldKind
    required: bool = True
    nullable: bool = False
    """It may be null."""
    default: JsonValue = None
    help: str = ""
    multiline: bool = False
    choices: tuple[str, ...] = ()
    items: FieldKind = FieldKind.TEXT
    limits: dict[str, int | float] = Field(default_factory=dict)
    """pydantic's own constraints by name: ge, gt, le, lt, multiple_of, min_length, max_length."""
    item_limits: dict[str, int | float] = Field(default_factory=dict)
    """The same for each item of a list."""
    pattern: str | None = None
    """A regular expression for the text, or for each text of a list."""

    def parse(self, text: str) -> JsonValue:
        """What a person typed, as this field's value: a list has an item a line, or between commas."""
        stripped = text.strip()
        if self.kind is FieldKind.LIST:
            parts = stripped.splitlines() if "\n" in stripped else stripped.split(",")
            return [part.strip() for part in parts if part.strip()]
        return text if self.kind is FieldKind.TEXT else stripped
