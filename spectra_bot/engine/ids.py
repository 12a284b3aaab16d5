"""The ids that an engine gives to runs and interrupts."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, now: datetime) -> str:
    """An id that sorts by time, so that rows of one hour stand together: 8 letters of time, 6 of chance."""
    number = (int(now.timestamp() * 1000) & (1 << 40) - 1) << 30 | secrets.randbits(30)
    return prefix + "".join(_ALPHABET[number >> shift & 31] for shift in range(65, -1, -5))
