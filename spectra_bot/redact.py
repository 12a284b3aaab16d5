"""What must not be shown: one function masks it in messages, logs, pages, history and `--json`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import overload

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from spectra_bot.json_values import Path, copy_of

MASK = "••••••"

_NAMES = re.compile(
    r"(^|[_\-.\s])(pass((word|wd|phrase|code)s?)?|pwd|secrets?|tokens?"
    r"|(api|private|access|secret|signing|encryption|ssh)[_\-.\s]?keys?"
    r"|credentials?|authorization|cookies?|pin)$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VALUES = re.compile(
    r"xox[abeprs]-[A-Za-z0-9-]{8,}"
    r"|xapp-[A-Za-z0-9-]{8,}"
    r"|gh[opsur]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bsk-[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{8,}"
    # What is before it in its word is kept. So it is looked for from each word's beginning only, and a long text of
    # beginnings of such tokens is not read to its end for each of them.
    r"|(?<![A-Za-z0-9_-])(?P<kept>(?:(?!\beyJ)[A-Za-z0-9_-])*+)"
    r"eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[A-Za-z0-9/_-]+"
    r"|(?<=://)[^/\s:@\"'<>]*:[^/\s\"'<>]+(?=@)",
    re.DOTALL,
)


@overload
def redact(value: str) -> str: ...
@overload
def redact(value: dict[str, JsonValue]) -> dict[str, JsonValue]: ...
@overload
def redact(value: JsonValue) -> JsonValue: ...
def redact(value: JsonValue) -> JsonValue:
    """The value with secrets masked: those under a telling name, and texts that look like a known kind of token."""
    match value:
        case str():
            value = _masked_json(value)
            masked = _VALUES.sub(rf"\g<kept>{MASK}", value)
            # A password behind a user that was masked as a token is found only now.
            return masked if masked == value else redact(masked)
        case dict():
            return {key: MASK if _is_secret(key, item) else redact(item) for key, item in value.items()}
        case list():
            return [redact(item) for item in value]
        case _:
            return value


def _masked_json(text: str) -> str:
    """A text that is JSON, such as arguments that somebody typed, or its beginning, with what it holds masked."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        value = from_json(text, allow_partial="trailing-strings")
    except (ValueError, RecursionError):
        return text
    masked = redact(value)
    return text if masked == value else to_json(masked, indent=2 if "\n" in text else None).decode()


def mask(value: JsonValue, paths: Iterable[Path]) -> JsonValue:
    """A copy of the value with what stands at these places masked."""
    masked = copy_of(value)
    for path in paths:
        place = masked
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict | list) else None  # type: ignore[index]  # a path made from such a value
        if isinstance(place, dict | list) and path:
            place[path[-1]] = MASK  # type: ignore[index]  # as above
    return masked


def _is_secret(key: str, item: JsonValue) -> bool:
    if item is None or isinstance(item, bool) or item == "":
        return False
    is_a_count = isinstance(item, int | float) and key.lower().endswith("tokens")
    return not is_a_count and bool(_NAMES.search(_WORDS.sub("_", key)))
