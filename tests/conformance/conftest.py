"""The engines that every test of this folder runs on; a new one adds a parameter and no test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from spectra_bot import IInterruptHandler, Workflow, WorkflowRunner
from spectra_bot.testing.clock import ManualClock


class OpenRunner(Protocol):
    """Opens a runner on the test's one database, until the test ends."""

    async def __call__(self, *workflows: Workflow, handlers: list[IInterruptHandler] = ...) -> WorkflowRunner: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["embedded"])
async def open_runner(tmp_path: Path, clock: ManualClock) -> AsyncIterator[OpenRunner]:
    async with AsyncExitStack() as stack:

        async def opened(*workflows: Workflow, handlers: list[IInterruptHandler] | None = None) -> WorkflowRunner:
            runner = WorkflowRunner(
                workflows=workflows, database=str(tmp_path / "spectra.db"), handlers=handlers or [], clock=clock
            )
            return await stack.enter_async_context(runner)

        yield opened
