"""An effect of a step, and what can be kept of its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeGuard

from pydantic import JsonValue

from spectra_bot.engine.words import text_of
from spectra_bot.errors import InvalidJsonError, PayloadTooLargeError
from spectra_bot.json_values import to_json_value


async def done(fn: Callable[[], object], name: str, limit: int) -> tuple[JsonValue, str | None]:
    """Do an effect; its result as it is stored, and why that can't be. Raises what the effect raises."""
    value = fn()
    if _is_awaitable(value):
        value = await value
    try:
        return to_json_value(value, name, limit), None
    except (InvalidJsonError, PayloadTooLargeError) as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001  it was done, whatever its result does to who looks at it
        return None, f"its result can't be read: {type(error).__name__}: {text_of(error)}"


def _is_awaitable(value: object) -> TypeGuard[Awaitable[object]]:
    try:
        return isinstance(value, Awaitable)
    except Exception:  # noqa: BLE001  a value that can't even be asked what it is
        return False
