"""Narrow foreign JSON without trusting its shape: what does not fit reads as empty."""

from collections.abc import Iterator

from pydantic import JsonValue

JsonObject = dict[str, JsonValue]


def as_object(value: JsonValue) -> JsonObject:
    """Read a JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """Read a JSON array, or an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: JsonValue) -> str:
    """Read a JSON string, or an empty one."""
    return value if isinstance(value, str) else ""


def as_objects(value: JsonValue) -> list[JsonObject]:
    """Read the objects of a JSON array and skip the rest."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def texts_in(value: JsonValue) -> Iterator[str]:
    """Yield each string that stands under a `text` key, at any depth, in reading order."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield item
            else:
                yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
