"""How often a step that raised is run again by itself, and after what pauses."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import timedelta

from spectra_bot.errors import DefinitionError, SpectraError

_MOST_DOUBLINGS = 60
"""Further growth of a pause is cut off by its limit in any case."""

_LONGEST = timedelta(days=365)
"""Of a `longest_pause`: a date that lies in no calendar can't be stored."""
_MOST_ASKED_S = 86_400.0


def pause_s(tried: int, *, first_s: float, longest_s: float, factor: float = 2.0, jitter: float = 0.2) -> float:
    """Seconds to wait after so many failed tries: growing from `first_s`, capped, then varied by a part of itself."""
    grown = min(first_s * factor ** min(tried - 1, _MOST_DOUBLINGS), longest_s)
    return grown * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311  it spreads retries and hides nothing


def asked_pause_s(error: BaseException) -> float:
    """The least pause that an error asks for in `retry_after_s`, a day at most; 0 where it asks for none.

    The error is a handler's: what it carries may be of any kind.
    """
    asked = getattr(error, "retry_after_s", None)
    if isinstance(asked, timedelta):
        asked = asked.total_seconds()
    if not isinstance(asked, int | float):
        return 0.0
    pause = min(max(asked, 0.0), _MOST_ASKED_S)
    return 0.0 if math.isnan(pause) else pause


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Runs a step again that raised: `@workflow.step(retry=RetryPolicy(attempts=5))`.

    The pauses are stored, so a restart neither forgets nor shortens them. A step that returns `StepResult.failed`
    has decided to fail, and is not run again; nor is one that broke the rules of asking. The fields are those of
    Temporal's retry policy: https://docs.temporal.io/encyclopedia/retry-policies

    Args:
        attempts: executions that may raise, the first included; a retry by a person grants as many again.
        first_pause: before the second attempt.
        factor: by which each pause is longer than the one before.
        longest_pause: no pause grows past it; a year at most.
        jitter: each pause is varied by up to this part of itself (0 to 1), so that runs do not retry in step.
        on: the errors after which it is tried again; the package's own errors only if they are named here.
        never_on: errors that are exempt from `on`.

    Raises:
        DefinitionError: a value that makes no sense; says which.
    """

    attempts: int = 3
    first_pause: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    longest_pause: timedelta = timedelta(minutes=5)
    jitter: float = 0.2
    on: tuple[type[Exception], ...] | type[Exception] = Exception
    never_on: tuple[type[Exception], ...] | type[Exception] = ()

    def __post_init__(self) -> None:
        for name in ("first_pause", "longest_pause"):
            value = getattr(self, name)
            if not isinstance(value, timedelta) or value < timedelta(0):
                raise DefinitionError(f"RetryPolicy: {name} is a timedelta of zero or more, not {value!r}")
        if self.longest_pause > _LONGEST:
            raise DefinitionError(f"RetryPolicy: longest_pause is at most {_LONGEST.days} days")
        if not isinstance(self.attempts, int) or self.attempts < 1:
            raise DefinitionError(f"RetryPolicy: attempts is a number from 1, not {self.attempts!r}")
        if not math.isfinite(self.factor) or not 1 <= self.factor <= 100:
            raise DefinitionError(f"RetryPolicy: factor is a number from 1 to 100, not {self.factor!r}")
        if not 0 <= self.jitter <= 1:
            raise DefinitionError(f"RetryPolicy: jitter is a number from 0 to 1, not {self.jitter!r}")
        for name in ("on", "never_on"):
            for kind in _kinds(getattr(self, name)):
                if not (isinstance(kind, type) and issubclass(kind, Exception)):
                    raise DefinitionError(f"RetryPolicy: {name} names types of errors, and {kind!r} is none")

    def covers(self, error: BaseException) -> bool:
        """A step that raised this may run again; of a group, all errors in it must be covered."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.covers(one) for one in error.exceptions)
        wanted = _kinds(self.on)
        if isinstance(error, SpectraError) and not isinstance(error, TimeoutError):
            wanted = tuple(kind for kind in wanted if issubclass(kind, SpectraError))
        return isinstance(error, wanted) and not isinstance(error, _kinds(self.never_on))

    def pause(self, tried: int) -> timedelta:
        """How long to wait after so many attempts have raised."""
        seconds = pause_s(
            tried,
            first_s=self.first_pause.total_seconds(),
            longest_s=self.longest_pause.total_seconds(),
            factor=self.factor,
            jitter=self.jitter,
        )
        return timedelta(seconds=seconds)


def _kinds(kinds: tuple[type[Exception], ...] | type[Exception]) -> tuple[type[Exception], ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
