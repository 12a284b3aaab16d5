"""What tests of several folders share: a Redis of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.redis_server import Peer, RedisServer, a_peer, a_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with a_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def peer(redis: RedisServer) -> AsyncIterator[Peer]:
    async with a_peer(redis) as peer:
        yield peer
