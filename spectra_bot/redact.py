"""What must not be shown: one function masks it in messages, logs, pages, history and `--json`."""

from __future__ import annotations

import re
from typing import overload

from pydantic import JsonValue

MASK = "••••••"

_NAMES = re.compile(
    r"(^|[_\-.\s])(pass(word|wd|phrase)?|secrets?|tokens?|api[_\-]?keys?|private[_\-]?keys?|access[_\-]?keys?"
    r"|credentials?|authorization|cookie|pin)$",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"xox[abeprs]-[A-Za-z0-9-]{8,}"
    r"|xapp-[A-Za-z0-9-]{8,}"
    r"|gh[opsur]_[A-Za-z0-9]{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
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
            return _VALUES.sub(MASK, value)
        case dict():
            return {
                key: MASK if _names_a_secret(key) and item not in (None, "", True, False) else redact(item)
                for key, item in value.items()
            }
        case list():
            return [redact(item) for item in value]
        case _:
            return value


def _names_a_secret(key: str) -> bool:
    return bool(_NAMES.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)))
