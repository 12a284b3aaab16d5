"""Structured values as people read them: indented names and dashes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import JsonValue

_DEEPEST = 20


def outline(value: JsonValue, depth: int = 0) -> Iterator[str]:
    """The lines of a value, made as they are asked for, so that a cut one costs no more than what is shown."""
    indent = "  " * depth
    match value:
        case dict() | list() if value and depth >= _DEEPEST:
            yield indent + json.dumps(value, ensure_ascii=False)
        case dict() if value:
            for key, item in value.items():
                yield from _entry(f"{indent}{key}:", item, depth)
        case list() if value:
            for item in value:
                yield from _entry(f"{indent}-", item, depth)
        case _:
            yield indent + scalar(value)


def scalar(value: JsonValue) -> str:
    """A single value as a word."""
    match value:
        case str():
            return value or '""'
        case None:
            return "none"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _entry(head: str, item: JsonValue, depth: int) -> Iterator[str]:
    is_text_of_lines = isinstance(item, str) and "\n" in item
    if is_text_of_lines and isinstance(item, str):
        yield f"{head} |"
        yield from ("  " * (depth + 1) + line for line in item.splitlines())
    elif item and isinstance(item, dict | list):
        inner = outline(item, depth + 1)
        if head.endswith("-"):
            yield f"{head} {next(inner).lstrip(' ')}"
        else:
            yield head
        yield from inner
    else:
        yield f"{head} {scalar(item)}"
