"""What can go wrong with a queue, in words that say what to do.

QueueError               Redis can't be reached, or not now
├── QueueSetupError      its address, a password, a right or a stream's name does not let us in
└── PublishError         an entry could not be published just now
"""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004  what redis calls it
    NoPermissionError,
    RedisError,
    ResponseError,
)

from spectra_bot import SpectraError, redact

REDIS_FAILURES = (RedisError, OSError, TimeoutError)
"""What a call of Redis raises; none of these leaves this package."""


class QueueError(SpectraError):
    """The root of what this package raises for its callers; by itself: Redis is away."""


class QueueSetupError(QueueError):
    """An address, a password, a right or a stream's name that somebody must mend."""


class PublishError(QueueError):
    """An entry could not be published just now."""


def queue_error(error: BaseException, where: str) -> QueueError:
    """A failed call as what happened and what to do about it."""
    if isinstance(error, AuthenticationError) or _begins(error, "NOAUTH", "WRONGPASS"):
        return QueueSetupError(
            f"Redis at {where} refuses the user or password ({in_short(error)}): put the right ones into "
            "SPECTRA_REDIS_URL, redis://USER:PASSWORD@HOST:PORT"
        )
    if isinstance(error, NoPermissionError):
        return QueueSetupError(
            f"Redis at {where} does not let this user do its work ({in_short(error)}): allow it the stream commands "
            "and EVAL on the three streams"
        )
    if _begins(error, "WRONGTYPE"):
        return QueueSetupError(
            f"one of the streams' names belongs to another kind of value in Redis at {where}; choose others with "
            "SPECTRA_REDIS_REQUESTS, SPECTRA_REDIS_ANSWERS and SPECTRA_REDIS_SET_ASIDE"
        )
    if _begins(error, "unknown command"):
        return QueueSetupError(f"Redis at {where} is too old ({in_short(error)}): 6.2 or newer is needed")
    if isinstance(error, ResponseError):
        return QueueError(f"Redis at {where} refused a command ({in_short(error)})")
    return QueueError(
        f"Redis can't be reached at {where} ({in_short(error)}): look whether it runs, and at SPECTRA_REDIS_URL"
    )


def in_short(error: BaseException) -> str:
    """A failure in a few words, without what may be secret."""
    said = str(error) if isinstance(error, RedisError) and not isinstance(error, ConnectionError) else ""
    return redact(said[:200]) or type(error).__name__


def _begins(error: BaseException, *words: str) -> bool:
    return isinstance(error, RedisError) and str(error).startswith(words)
