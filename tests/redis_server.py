"""A Redis of a test's own: a real `redis-server` on a free port of loopback, which can be killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

TIMEOUT_S = 20.0
REQUIRED = "REDIS_REQUIRED"
"""Where this is set, as under CI, a missing redis-server is a failure."""


class RedisServer:
    """One server process; what was written outlives it, as it does with Redis' append-only file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; returns when it answers."""
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *self._settings(), *self._options], stdout=log, stderr=log, cwd=self._folder
            )
        until = time.monotonic() + TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < until, "redis-server does not answer"

    def kill(self) -> None:
        """End it without a word, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def stand_still(self) -> None:
        """Connections stay, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _settings(self) -> list[str]:
        settings = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self._folder), "save": ""}
        settings |= {"appendonly": "yes", "appendfsync": "always"}
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def a_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server until the block ends; where there is none on this machine the test is skipped, or fails under CI."""
    if shutil.which("redis-server") is None:
        said = "redis-server is not installed: sudo apt-get install redis-server"
        if os.environ.get(REQUIRED):
            pytest.fail(said)
        pytest.skip(said)
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Peer:
    """A program at the other end of the queue: reads the streams and writes answers."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def entries(self, stream: str) -> list[dict[str, Any]]:
        """The bodies of a stream's entries, oldest first, each with its entry's id and other fields."""
        found: Any = await self.client.xrange(stream)
        return [
            {
                **json.loads(fields[b"body"]),
                "id": entry_id.decode(),
                **{name.decode(): value for name, value in fields.items() if name != b"body"},
            }
            for entry_id, fields in found
        ]

    async def requests(self) -> list[dict[str, Any]]:
        return [entry for entry in await self.entries("spectra:requests") if entry["type"] == "request"]

    async def settled(self) -> list[dict[str, Any]]:
        return [entry for entry in await self.entries("spectra:requests") if entry["type"] == "settled"]

    async def set_aside(self) -> list[dict[str, Any]]:
        return await self.entries("spectra:set-aside")

    async def request(self, interrupt_id: str) -> dict[str, Any]:
        """The question, once it is published."""
        return await self.seen(self.requests, lambda entry: entry["interrupt_id"] == interrupt_id)

    async def end(self, interrupt_id: str) -> dict[str, Any]:
        """How it ended, once that is published."""
        return await self.seen(self.settled, lambda entry: entry["interrupt_id"] == interrupt_id)

    async def refused(self, entry_id: str) -> dict[str, Any]:
        """What became of an answer, once it is set aside."""
        return await self.seen(self.set_aside, lambda entry: entry["entry"] == entry_id)

    async def write(self, body: str | bytes) -> str:
        """Write an entry with this body to the answer stream."""
        return await self.add({"body": body})

    async def add(self, fields: dict[Any, Any]) -> str:
        """Write any entry to the answer stream."""
        entry_id: Any = await self.client.xadd("spectra:answers", fields)
        return str(entry_id.decode())

    async def answer(self, interrupt_id: str, option: str = "approve", **more: object) -> str:
        """Write a decision."""
        return await self.write(json.dumps({"interrupt_id": interrupt_id, "option": option, **more}))

    async def until_taken(self) -> None:
        """Nothing is left on the answer stream."""
        await eventually(self._is_empty)

    async def _is_empty(self) -> bool:
        return not await self.client.xlen("spectra:answers")

    async def seen(self, read: Callable[[], Any], fits: Callable[[Any], bool]) -> dict[str, Any]:
        """The first entry that fits, once there is one."""
        found: list[dict[str, Any]] = []

        async def look() -> bool:
            found[:] = [entry for entry in await read() if fits(entry)]
            return bool(found)

        await eventually(look)
        return found[0]


async def eventually(holds: Callable[[], Any]) -> None:
    """Return when it holds; Redis being away counts as not yet."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                if await holds():
                    return
            except RedisError:
                pass
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_peer(server: RedisServer) -> AsyncIterator[Peer]:
    """A program at the other end, until the block ends."""
    retry = Retry(ExponentialBackoff(), 10)  # a connection that the server's end broke shows when it is used
    async with Redis.from_url(server.url, protocol=2, retry=retry) as client:
        yield Peer(client)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
