from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program
from tests.temporal_server import TemporalServer, a_temporal


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with a_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def program_on_temporal(temporal: TemporalServer, tmp_path: Path) -> Program:
    env = {
        "SPECTRA_ENGINE": "temporal",
        "TEMPORAL_ADDRESS": temporal.address,
        "SPECTRA_TEMPORAL_TASK_QUEUE": tmp_path.name,
    }
    return Program(tmp_path, env)
