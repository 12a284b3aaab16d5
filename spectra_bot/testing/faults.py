"""Failures that Slack shows on a bad day, injected per method and counted."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

EVERY_METHOD = "*"


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 `ratelimited`; nothing is done. `retry_after` is in seconds."""

    retry_after: int = 1


@dataclass(frozen=True, slots=True)
class ServerError:
    """HTTP 5xx; with `after_work` the message was stored all the same."""

    status: int = 500
    after_work: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection breaks without an answer; with `after_work` the message was stored all the same."""

    after_work: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack answers `ok: false` with this error code, such as `token_revoked`; nothing is done."""

    error: str


@dataclass(frozen=True, slots=True)
class Delayed:
    """The call is worked on `seconds` late. Prefer `Held`, which needs no clock."""

    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The call is worked on when the test calls `release()`; `arrived` is set once it is there.

    With `after_work` it is worked on at once, and only its answer waits.
    """

    after_work: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Say that the call is there, and wait until the test lets it go on."""
        self.arrived.set()
        await self.released.wait()

    def release(self) -> None:
        """Let the held call, and those that come after it, go on."""
        self.released.set()


Fault = RateLimited | ServerError | Dropped | Refused | Delayed | Held


@dataclass(slots=True)
class _Planned:
    fault: Fault
    times: int | None


class FaultPlan:
    """Which calls fail next. Faults of a method are used up in the order in which they were added."""

    def __init__(self) -> None:
        """Start without faults."""
        self._planned: defaultdict[str, list[_Planned]] = defaultdict(list)
        self._held: list[Held] = []

    def add(self, method: str, fault: Fault, times: int | None = 1) -> None:
        """Let the next calls of a method fail.

        Args:
            method: a Web API method, `response_url`, `upload`, or `*` for whatever comes next.
            times: how many calls; None until `clear`.
        """
        if times is not None and times < 1:
            raise ValueError("times must be at least 1, or None")
        self._planned[method].append(_Planned(fault, times))
        if isinstance(fault, Held):
            self._held.append(fault)

    def hold(self, method: str, *, after_work: bool = False) -> Held:
        """Hold the next call of a method, or with `after_work` its answer, until the returned fault is released."""
        held = Held(after_work=after_work)
        self.add(method, held)
        return held

    def take(self, method: str) -> Fault | None:
        """Use one fault up, if one is planned for this method."""
        for name in (method, EVERY_METHOD):
            if planned := self._planned.get(name):
                first = planned[0]
                if first.times is not None:
                    first.times -= 1
                    if first.times == 0:
                        planned.pop(0)
                return first.fault
        return None

    def left(self, method: str) -> int:
        """Count the faults still planned for a method; one without an end counts as one."""
        return sum(planned.times or 1 for planned in self._planned.get(method, ()))

    def clear(self, method: str | None = None) -> None:
        """Forget the faults of a method, or all, and release what is held."""
        if method is None:
            self._planned.clear()
            for held in self._held:
                held.release()
        else:
            self._planned.pop(method, None)
