"""The way to Redis, and the names of the streams there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from handlers.queue.errors import QueueSetupError

_Said = TypeVar("_Said")

BLOCK_S = 5.0
"""How long one read waits for the next answer."""
_CONNECT_WITHIN_S = 5.0
_ANSWER_WITHIN_S = BLOCK_S + 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The names of the three streams of one database; no other database may take its answers from them."""

    requests: str = "spectra:requests"
    """Questions go out here, and that they are over."""
    answers: str = "spectra:answers"
    """Answers come in here."""
    set_aside: str = "spectra:set-aside"
    """Where an answer goes that was refused for good."""

    def __post_init__(self) -> None:
        if len({getattr(self, field.name) for field in fields(self)}) < len(fields(self)):
            raise QueueSetupError(
                "requests, answers and set-aside need a stream each; SPECTRA_REDIS_REQUESTS, SPECTRA_REDIS_ANSWERS "
                "and SPECTRA_REDIS_SET_ASIDE name them"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A Redis and the streams in it."""

    client: Redis
    streams: Streams
    where: str
    """Its address without a password."""


@asynccontextmanager
async def open_queue(url: str, *, streams: Streams | None = None) -> AsyncIterator[Queue]:
    """The way to Redis, until the block ends; nothing is sent yet.

    Raises:
        QueueSetupError: that is no address of a Redis.
    """
    try:
        client = Redis.from_url(
            url,
            protocol=2,
            client_name="spectra-bot",
            socket_connect_timeout=_CONNECT_WITHIN_S,
            socket_timeout=_ANSWER_WITHIN_S,
            # Sending a command again is for those to decide who know whether it bears repetition.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise QueueSetupError(
            "SPECTRA_REDIS_URL is no address of a Redis: redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH is "
            "needed; USER:PASSWORD@ stands before the host"  # in one word with it, it would be masked as a password
        ) from error
    async with client:
        yield Queue(client=client, streams=streams or Streams(), where=_where(client))


async def asked(call: Awaitable[_Said]) -> _Said:
    """What Redis says to this call.

    A cancellation that meets the reply gets lost in redis-py 8.1, or becomes a lost connection; it is raised here.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await call
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def _where(client: Redis) -> str:
    way = client.connection_pool.connection_kwargs
    if path := way.get("path"):
        return str(path)
    host = str(way.get("host", "localhost"))
    return f"{f'[{host}]' if ':' in host else host}:{way.get('port', 6379)}"
