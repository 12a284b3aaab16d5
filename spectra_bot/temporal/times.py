"""What a run knows of time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Times(Protocol):
    """What a run knows of time."""

    def now(self) -> datetime:
        """Temporal's own clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds, whatever becomes of the worker meanwhile."""
        ...
