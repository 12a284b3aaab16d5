"""Every test of this folder runs on each engine, with time that it moves by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from spectra_bot import IInterruptHandler, Workflow, WorkflowRunner
from spectra_bot.testing.clock import ManualClock
from tests.conformance.manual_time import ManualRun, TemporalClock
from tests.engines import a_place_on
from tests.temporal_server import TemporalServer


class OpenRunner(Protocol):
    """Opens a runner on the test's one database, until the test ends."""

    async def __call__(self, *workflows: Workflow, handlers: list[IInterruptHandler] = ...) -> WorkflowRunner: ...


class MakeRunner(Protocol):
    """Makes a runner on the test's one database, to be opened."""

    def __call__(self, *workflows: Workflow, handlers: list[IInterruptHandler] = ...) -> WorkflowRunner: ...


@pytest.fixture
def clock(engine: str, request: pytest.FixtureRequest) -> Iterator[ManualClock]:
    if engine == "embedded":
        yield ManualClock()
        return
    server: TemporalServer = request.getfixturevalue("temporal")
    clock = TemporalClock(server.address)
    yield clock
    clock.close()


@pytest.fixture
def place(
    engine: str, tmp_path: Path, clock: ManualClock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Where the test's runs are, as a runner is told."""
    if not isinstance(clock, TemporalClock):
        return {"database": str(tmp_path / "spectra.db")}
    server: TemporalServer = request.getfixturevalue("temporal")
    monkeypatch.setattr("spectra_bot.temporal.worker.SpectraRun", ManualRun)
    return {"temporal": a_place_on(server)}


@pytest.fixture
def make_runner(place: dict[str, Any], clock: ManualClock) -> MakeRunner:
    def made(*workflows: Workflow, handlers: list[IInterruptHandler] | None = None) -> WorkflowRunner:
        return WorkflowRunner(workflows=workflows, handlers=handlers or [], clock=clock, **place)

    return made


@pytest.fixture
async def open_runner(make_runner: MakeRunner) -> AsyncIterator[OpenRunner]:
    async with AsyncExitStack() as stack:

        async def opened(*workflows: Workflow, handlers: list[IInterruptHandler] | None = None) -> WorkflowRunner:
            return await stack.enter_async_context(make_runner(*workflows, handlers=handlers or []))

        yield opened
