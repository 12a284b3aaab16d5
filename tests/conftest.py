"""What tests of several folders share: a Redis of their own, one Temporal server, and the engines."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines import ENGINES, Place, a_place_on
from tests.redis_server import Peer, RedisServer, a_peer, a_redis
from tests.temporal_server import TemporalServer, a_temporal


@pytest.fixture(autouse=True)
def own_log_levels() -> Iterator[None]:
    """What a command sets that a test calls in this process does not mute the next test's log."""
    loggers = [logging.getLogger(name) for name in ("spectra_bot", "handlers")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with a_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def peer(redis: RedisServer) -> AsyncIterator[Peer]:
    async with a_peer(redis) as peer:
        yield peer


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with a_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Where the test's runs are, on each engine in turn."""
    return tmp_path / "s.db" if engine == "embedded" else a_place_on(request.getfixturevalue("temporal"))
