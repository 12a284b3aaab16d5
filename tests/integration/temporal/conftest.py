"""A place on the Temporal server for each test."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from spectra_bot import TemporalOptions
from tests.temporal_server import TemporalServer


@pytest.fixture
def task_queue() -> str:
    return f"spectra-{secrets.token_hex(6)}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for large payloads."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def options(temporal: TemporalServer, task_queue: str, place: Path) -> TemporalOptions:
    """The way to the server, with that folder beside it."""
    return TemporalOptions(address=temporal.address, task_queue=task_queue, payloads=f"file://{place}")
