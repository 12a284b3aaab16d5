"""The consumer group on the answer stream: which entries are this process's to judge."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.exceptions import ResponseError

from handlers.queue.connection import Queue, asked
from handlers.queue.entries import RefusedAnswer, set_aside
from handlers.queue.handler import KEPT

GROUP = "spectra-bot"
_AT_ONCE = 50

# One statement that checks and sets: of two processes that judge one entry, the first takes it off the stream, and the
# other finds it gone.
_FINISH = """
    if redis.call('xack', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
    redis.call('xdel', KEYS[1], ARGV[2])
    if #ARGV > 3 then redis.call('xadd', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 4)) end
    return 1
"""
# A consumer is forgotten with all that is pending for it, so only one for which nothing is.
_LEAVE = """
    if #redis.call('xpending', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
    return redis.call('xgroup', 'delconsumer', KEYS[1], ARGV[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the answer stream, as it came."""

    id: str
    fields: Mapping[bytes, bytes]


class AnswerGroup:
    """This process's part in the group; every method raises what Redis raises.

    Args:
        consumer: this process in the group; unique, for what is pending for a name is its process's alone.
    """

    def __init__(self, queue: Queue, *, consumer: str | None = None) -> None:
        self._client = queue.client
        self._answers = queue.streams.answers
        self._set_aside = queue.streams.set_aside
        self.consumer = consumer or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    async def prepare(self) -> None:
        """Make the group and its stream where they are missing; it begins with what was written before it."""
        try:
            await asked(self._client.xgroup_create(self._answers, GROUP, id="0", mkstream=True))
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def new(self, wait: timedelta) -> list[Entry]:
        """The next entries, which are pending for this process from then on; none came in time: empty."""
        block_ms = max(1, int(wait.total_seconds() * 1000))  # 0 would wait for ever
        return await self._read(">", block_ms)

    async def unfinished(self) -> AsyncIterator[Entry]:
        """What was given to this process and not finished, oldest first: put off, or lost on its way here."""
        after = "0"
        while found := await self._read(after, None):
            for entry in found:
                yield entry
            after = found[-1].id

    async def abandoned(self, idle: timedelta) -> AsyncIterator[Entry]:
        """Take over what any process left unfinished for so long."""
        start = "0-0"
        while True:
            claimed: Any = await asked(
                self._client.xautoclaim(
                    self._answers,
                    GROUP,
                    self.consumer,
                    min_idle_time=int(idle.total_seconds() * 1000),
                    start_id=start,
                    count=_AT_ONCE,
                )
            )
            for entry in _entries(claimed[1]):
                yield entry
            start = claimed[0].decode()
            if start == "0-0":
                return

    async def finish(self, entry: Entry, refused: RefusedAnswer | None = None) -> bool:
        """Take the entry off the stream, and set it aside where it was refused; False: another process did."""
        pairs = set_aside(entry.id, entry.fields, refused).items() if refused else ()
        kept = [part for pair in pairs for part in pair]
        done = await asked(
            self._client.eval(_FINISH, 2, self._answers, self._set_aside, GROUP, entry.id, str(KEPT), *kept)
        )
        return bool(done)

    async def leave(self) -> None:
        """Be forgotten by the group, unless something is left for others to take over."""
        await asked(self._client.eval(_LEAVE, 1, self._answers, GROUP, self.consumer))

    async def _read(self, after: str, block_ms: int | None) -> list[Entry]:
        found: Any = await asked(
            self._client.xreadgroup(GROUP, self.consumer, {self._answers: after}, count=_AT_ONCE, block=block_ms)
        )
        return [entry for _stream, entries in found or () for entry in _entries(entries)]


def _entries(found: Any) -> list[Entry]:
    """What Redis returned; an entry that was deleted meanwhile has no fields."""
    return [Entry(id=entry_id.decode(), fields=fields or {}) for entry_id, fields in found if entry_id is not None]
