"""Whether Redis lets the bot in, and holds what it needs. Nothing is changed."""

from __future__ import annotations

from dataclasses import astuple

from handlers.queue.connection import Queue, asked
from handlers.queue.errors import REDIS_FAILURES, QueueSetupError, queue_error

OLDEST = (6, 2)
"""The first Redis with XAUTOCLAIM."""


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
