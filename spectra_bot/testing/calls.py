"""What the app asked of Slack, and waiting for it without polling."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from spectra_bot.testing.json_shapes import JsonObject

Seen = TypeVar("Seen")


class NotSeenError(AssertionError):
    """What a test waited for did not happen in time; the message tells what did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a Web API method, of a response url (`response_url`) or an upload (`upload`).

    `status` is None when the connection was dropped. `error` is Slack's error code. `fault` names the
    injected fault. `did_work` says whether the workspace was changed or read, whatever was answered.
    """

    method: str
    arguments: JsonObject
    at: float
    status: int | None
    error: str | None = None
    fault: str | None = None
    did_work: bool = True

    def __str__(self) -> str:
        outcome = "dropped" if self.status is None else str(self.status)
        notes = " ".join(filter(None, [outcome, self.error, self.fault and f"fault: {self.fault}"]))
        return f"{self.method} -> {notes}"


class CallLog:
    """Every call in the order in which it was answered; wakes who waits for one."""

    def __init__(self) -> None:
        """Start empty."""
        self.calls: list[Call] = []
        self._news = asyncio.Event()

    def record(self, call: Call) -> None:
        """Note a call and wake who waits."""
        self.calls.append(call)
        self.wake()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def wait_for(self, predicate: Callable[[], Seen], *, timeout: float, account: Callable[[], str]) -> Seen:
        """Return the first true value of `predicate`, looked at now and after each event.

        Args:
            timeout: real seconds.
            account: tells what was there, for the error.

        Raises:
            NotSeenError: the time is over.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (seen := predicate()):
                    await self._news.wait()
                return seen
        except TimeoutError:
            raise NotSeenError(f"not seen within {timeout} s; there was:\n{account()}") from None
