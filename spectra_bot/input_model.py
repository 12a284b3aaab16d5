"""What a workflow takes: its inputs checked, stored and loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from spectra_bot.errors import InvalidInputsError
from spectra_bot.forms import problems
from spectra_bot.json_values import Path, copy_of, reveal, secret_paths, to_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class InputModel:
    """The pydantic model of a workflow's inputs; without one it takes any JSON object."""

    workflow: str
    model: type[BaseModel] | None

    def stored(self, inputs: Mapping[str, object] | BaseModel | None) -> dict[str, JsonValue]:
        """Inputs, checked, as they are stored: secrets are in the clear.

        Raises:
            InvalidInputsError: with a problem per field.
        """
        given = inputs if inputs is not None else {}
        if self.model is None:
            return to_json_object(reveal(given), "inputs")
        return to_json_object(reveal(self._validated(given)), "inputs")

    def secrets(self, inputs: Mapping[str, object] | BaseModel | None) -> list[Path]:
        """Where in the stored inputs secrets stand, by their types in the model; the inputs are known to fit it."""
        if self.model is None or inputs is None:
            return secret_paths(inputs)
        return secret_paths(self._validated(inputs))

    def loaded(self, stored: Mapping[str, JsonValue]) -> Any:
        """What `ctx.inputs` is: the model with the stored values, or a plain dict.

        Raises:
            InvalidInputsError: the model changed and no longer takes what is stored.
        """
        given = copy_of(dict(stored)) if stored else {}
        return given if self.model is None else self._validated(given)

    def lacks(self, outer: InputModel) -> list[str]:
        """The fields that must be given and that another workflow's inputs do not have."""
        if self.model is None or outer.model is None:
            return []
        there = outer.model.model_fields
        return [name for name, field in self.model.model_fields.items() if field.is_required() and name not in there]

    def _validated(self, given: Mapping[str, object] | BaseModel) -> BaseModel:
        assert self.model is not None  # noqa: S101  its callers looked
        try:
            return self.model.model_validate(dict(given) if isinstance(given, Mapping) else given)
        except ValidationError as error:
            raise InvalidInputsError(self.workflow, problems(error)) from error
