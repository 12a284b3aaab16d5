"""Values as JSON holds them: what is stored is what is handed out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Self, TypeVar

from pydantic import BaseModel, JsonValue, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, from_json, to_json

from spectra_bot.errors import InvalidJsonError, PayloadTooLargeError

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""The default limit of one stored value; the engine applies the runner's own."""
_Json = TypeVar("_Json", bound=JsonValue)


class LiftableLimit(int):
    """A size limit that a setting lifts: who hits it is told which."""

    lifted_by: str

    def __new__(cls, size: int, lifted_by: str) -> Self:
        limit = super().__new__(cls, size)
        limit.lifted_by = lifted_by
        return limit


def encode(value: object, name: str, limit: int | None = None) -> bytes:
    """The JSON text of anything that pydantic can write.

    Raises:
        InvalidJsonError: naming the path inside `name` of the first value that JSON can't hold.
        PayloadTooLargeError: with the name, the size and the limit.
    """
    try:
        text = to_json(value)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise InvalidJsonError(*_culprit(value, name, error)) from error
    if limit is not None:
        refuse_too_large(name, len(text), limit)
    return text


def refuse_too_large(name: str, size: int, limit: int) -> None:
    """Stop at a value past a limit.

    Raises:
        PayloadTooLargeError: with the name, the size and the limit, and the setting that lifts it.
    """
    if size > limit:
        raise PayloadTooLargeError(name, size, limit, limit.lifted_by if isinstance(limit, LiftableLimit) else None)


def to_json_value(value: object, name: str, limit: int | None = None) -> JsonValue:
    """The value as it comes back from the store: a copy that holds JSON's types only.

    Raises:
        InvalidJsonError: naming the path inside `name` of the first value that JSON can't hold.
        PayloadTooLargeError: with the name, the size and the limit.
    """
    if value is None or value is True or value is False:
        return value
    text = encode(value, name, limit)
    try:
        decoded: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidJsonError(*_culprit(value, name, error)) from error
    return decoded


def to_json_object(value: object, name: str, limit: int | None = None) -> dict[str, JsonValue]:
    """Like `to_json_value`, for what must be an object at its top."""
    decoded = to_json_value(value, name, limit)
    if not isinstance(decoded, dict):
        raise InvalidJsonError(name, f"a JSON object is needed, not {type(value).__name__}")
    return decoded


def in_order(value: object) -> object:
    """The value with each set as a sorted list: a set's own order is another one in each process.

    What JSON can't hold comes back as it is.
    """
    try:
        return _with_sorted_sets(value)
    except (PydanticSerializationError, ValueError, RecursionError):
        return value


def _with_sorted_sets(value: object) -> object:
    match value:
        case Mapping():
            return {key: _with_sorted_sets(item) for key, item in value.items()}
        case list() | tuple():
            return [_with_sorted_sets(item) for item in value]
        case set() | frozenset():
            return sorted(value, key=to_json)
        case _:
            return value


def copy_of(value: _Json) -> _Json:
    """A deep copy of a JSON value."""
    if isinstance(value, dict | list):
        copied: _Json = from_json(to_json(value))
        return copied
    return value


def reveal(value: object) -> object:
    """The value with every pydantic secret in the clear, for the store and nothing else.

    What contains itself comes back as it is.
    """
    try:
        return _revealed(value)
    except RecursionError:
        return value


def _revealed(value: object) -> object:
    match value:
        case SecretStr() | SecretBytes():
            return value.get_secret_value()
        case BaseModel():
            named = {_input_name(key, field): getattr(value, key) for key, field in type(value).model_fields.items()}
            return {key: _revealed(item) for key, item in {**named, **(value.__pydantic_extra__ or {})}.items()}
        case Mapping():
            return {key: _revealed(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_revealed(item) for item in value]
        case _:
            return value


Path = tuple[str | int, ...]
"""Where a value stands inside another: keys and indexes, from the top."""


def secret_paths(value: object, above: Path = ()) -> list[Path]:
    """Where `reveal` puts what pydantic holds as a secret."""
    if isinstance(value, SecretStr | SecretBytes):
        return [above]
    children: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, BaseModel):
        named = {_input_name(key, field): getattr(value, key) for key, field in type(value).model_fields.items()}
        children = {**named, **(value.__pydantic_extra__ or {})}.items()
    elif isinstance(value, Mapping):
        children = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    return [path for key, item in children for path in secret_paths(item, (*above, key))]


def digest(value: JsonValue) -> str:
    """A SHA-256 of the canonical JSON text: equal values have equal digests, whatever their order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _input_name(name: str, field: FieldInfo) -> str:
    """The name under which a model takes a field."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def _culprit(value: object, path: str, error: Exception, above: tuple[int, ...] = ()) -> tuple[str, str]:
    """Where in `value` the first thing stands that can't be written, and what it is."""
    if id(value) in above:
        return path, "it contains itself"
    if isinstance(error, RecursionError) or "recursion limit" in str(error) or "depth exceeded" in str(error):
        return path, "it is nested too deeply"
    match value:
        case float():
            return path, f"{value} is not JSON"
        case str():
            return path, f"{value!r} is not Unicode text"
        case BaseModel():
            children = [(f"{path}.{key}", getattr(value, key)) for key in type(value).model_fields]
        case Mapping():
            for key in value:
                if not _is_json({key: None}):
                    return path, _bad_key(key)
            children = [(f"{path}.{key}", item) for key, item in value.items()]
        case list() | tuple() | set() | frozenset():
            children = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        case _ if is_dataclass(value) and not isinstance(value, type):
            children = [(f"{path}.{field.name}", getattr(value, field.name)) for field in fields(value)]
        case _:
            return path, f"{type(value).__name__} is not JSON"
    for child_path, child in children:
        try:
            from_json(to_json(child), allow_inf_nan=False)
        except (PydanticSerializationError, ValueError, RecursionError) as cause:
            return _culprit(child, child_path, cause, (*above, id(value)))
    return path, str(error)


def _is_json(value: object) -> bool:
    try:
        to_json(value)
    except (PydanticSerializationError, ValueError, RecursionError):
        return False
    return True


def _bad_key(key: object) -> str:
    if isinstance(key, str | bytes):
        return f"its key {key!r} is not Unicode text"
    return f"a key of it is {type(key).__name__}, and JSON's keys are text"
