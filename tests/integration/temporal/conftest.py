"""A Temporal server, and a place on it for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.temporal_server import TemporalServer, a_temporal


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with a_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def task_queue() -> str:
    return f"spectra-{secrets.token_hex(6)}"
