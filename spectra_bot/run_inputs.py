"""What a workflow takes, and typed words made to fit it: the same words mean the same on every surface. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from spectra_bot.errors import InvalidInputsError, InvalidWordError
from spectra_bot.redact import redact
from spectra_bot.suggestions import did_you_mean
from spectra_bot.workflow import Workflow

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "null": "nothing",
}


MAX_ID = 250
"""Characters of a run's id: at most the 1,000 bytes that Temporal takes, and they fit a button in Slack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One input of a workflow."""

    name: str
    kind: str
    is_required: bool
    default: JsonValue = None
    help: str = ""


def inputs_of(workflow: Workflow) -> tuple[InputField, ...]:
    """The inputs in the order of the model; none for a workflow that takes any object."""
    if workflow.inputs is None:
        return ()
    schema = workflow.inputs.model_json_schema()
    required = set(schema.get("required", ()))
    defs = schema.get("$defs", {})
    return tuple(
        InputField(
            name=name,
            kind=_kind(spec, defs),
            is_required=name in required,
            default=redact({name: spec.get("default")})[name],
            help=str(spec.get("description", "")),
        )
        for name, spec in schema.get("properties", {}).items()
    )


def read_id(word: str) -> str:
    """A caller's own id of a run: one word, because it is typed again in commands, here and in Slack.

    Raises:
        InvalidWordError: it is empty, has spaces, is too long, or is no Unicode text.
    """
    if word != word.encode(errors="replace").decode():
        raise InvalidWordError(word, "is no id: it is not Unicode text")
    if word.split() != [word]:
        raise InvalidWordError(word, "is no id: it must be one word, without spaces")
    if len(word) > MAX_ID:
        raise InvalidWordError(word, f"is no id: it has {len(word)} characters, and may have {MAX_ID}")
    return word


def read_words(words: Iterable[str]) -> dict[str, str]:
    """The texts of `key=value` words; the workflow's model says what they mean.

    Raises:
        InvalidWordError: a word that is not key=value, or a key given twice.
    """
    texts: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise InvalidWordError(word, 'is not key=value; put quotes around what has spaces: key="two words"')
        if key in texts:
            raise InvalidWordError(key, "is given twice")
        texts[key] = text
    return texts


def fitting_inputs(
    workflow: Workflow, texts: Mapping[str, str], values: Mapping[str, JsonValue] | None = None
) -> dict[str, JsonValue]:
    """The inputs, each typed text read as JSON or as text, whichever the workflow takes.

    Args:
        values: inputs that are JSON already; a text of the same name counts more.

    Raises:
        InvalidInputsError: with a problem per field; a misspelt name is one.
    """
    given = dict(values or {})
    _refuse_unknown(workflow, [*texts, *given])
    inputs: dict[str, JsonValue] = {**given, **{key: _read(text) for key, text in texts.items()}}
    first: InvalidInputsError | None = None
    for other_reading in (_as_text, _as_list):
        try:
            workflow.stored_inputs(inputs)
        except InvalidInputsError as error:
            first = first or error
            inputs |= {key: other_reading(texts[key]) for key in error.fields if key in texts}
        else:
            return inputs
    try:
        workflow.stored_inputs(inputs)
    except InvalidInputsError as error:
        raise first or error from None
    return inputs


def _refuse_unknown(workflow: Workflow, names: list[str]) -> None:
    """A name that the model would ignore in silence is more likely misspelt than meant."""
    model = workflow.inputs
    if model is None or model.model_config.get("extra") == "allow":
        return
    aliases = {str(spec.validation_alias or spec.alias or "") for spec in model.model_fields.values()} - {""}
    known = {field.name for field in inputs_of(workflow)} | set(model.model_fields) | aliases
    problems = {
        name: f"not an input of {workflow.name}{did_you_mean(name, known)}" for name in names if name not in known
    }
    if problems:
        raise InvalidInputsError(workflow.name, problems)


def _read(text: str) -> JsonValue:
    try:
        read: JsonValue = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    return read


def _no_constant(name: str) -> JsonValue:
    raise ValueError(name)


def _as_text(text: str) -> JsonValue:
    return text


def _as_list(text: str) -> JsonValue:
    return [part.strip() for part in text.split(",") if part.strip()]


def _kind(spec: dict[str, Any], defs: dict[str, Any]) -> str:
    if "$ref" in spec:
        spec = defs.get(str(spec["$ref"]).removeprefix("#/$defs/"), {})
    if "anyOf" in spec:
        kinds = [_kind(part, defs) for part in spec["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in spec:
        return "one of " + ", ".join(str(choice) for choice in spec["enum"])
    if "const" in spec:
        return f"always {spec['const']}"
    if spec.get("type") == "array" and isinstance(spec.get("items"), dict):
        return f"list of {_kind(spec['items'], defs)}"
    if spec.get("type") == "string" and "format" in spec:
        return str(spec["format"]).replace("-", " ")
    return _KINDS.get(str(spec.get("type", "")), "anything")
