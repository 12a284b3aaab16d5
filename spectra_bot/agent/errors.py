"""How an agent ends without an output, by our own rules."""

from __future__ import annotations

from spectra_bot.errors import SpectraError


class AgentLimitError(SpectraError):
    """The agent has reached a limit, and was not to ask for more."""

    def __init__(self, limit: str) -> None:
        self.limit = limit
        super().__init__(f"the agent has reached its limit of {limit}")


class AgentStoppedError(SpectraError):
    """Somebody stopped the agent at a limit."""

    def __init__(self, limit: str, by: str | None, notes: str | None) -> None:
        self.limit = limit
        self.by = by
        said = f": {notes}" if notes else ""
        super().__init__(f"the agent was stopped at its limit of {limit} by {by or 'an unnamed caller'}{said}")
