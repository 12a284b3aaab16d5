"""Whether Redis lets the bot in, and holds what it needs. Nothing is changed."""

from __future__ import annotations

import logging
from dataclasses import astuple

from handlers.queue.connection import Queue, asked
from handlers.queue.errors import REDIS_FAILURES, QueueError, QueueSetupError, queue_error

logger = logging.getLogger(__name__)

OLDEST = (6, 2)
"""The first Redis with XAUTOCLAIM."""


async def refuse_bad_queue(queue: Queue) -> None:
    """Begin only with a Redis that lets us in; one that is away is waited for later.

    Raises:
        QueueSetupError: it does not; says what to do.
    """
    try:
        found = await check_queue(queue)
    except QueueSetupError:
        raise
    except QueueError as error:
        logger.warning("redis not reached yet; the bot goes on trying", extra={"why": str(error)})
    else:
        logger.info("redis lets us in", extra={"queue": found})


async def check_queue(queue: Queue) -> str:
    """What was found, in words.

    Raises:
        QueueSetupError: somebody must do what it says.
        QueueError: Redis is away.
    """
    names = astuple(queue.streams)
    try:
        await asked(queue.client.ping())
        kinds = {name: _text(await asked(queue.client.type(name))) for name in names}
        version = str((await asked(queue.client.info("server")))["redis_version"])
    except REDIS_FAILURES as error:
        raise queue_error(error, queue.where) from error
    for name, kind in kinds.items():
        if kind not in ("none", "stream"):
            raise QueueSetupError(
                f"{name} is a {kind} in Redis at {queue.where}, and a stream is needed: name another with "
                "SPECTRA_REDIS_REQUESTS, SPECTRA_REDIS_ANSWERS or SPECTRA_REDIS_SET_ASIDE"
            )
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise QueueSetupError(f"Redis at {queue.where} is {version}; 6.2 or newer is needed")
    return (
        f"Redis {version} at {queue.where} answers; questions go to {queue.streams.requests}, "
        f"answers come from {queue.streams.answers}, refused ones go to {queue.streams.set_aside}"
    )


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said
