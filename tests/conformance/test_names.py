"""Names that callers give, of runs, people and channels: what can't be stored, or typed again, is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from spectra_bot import (
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidJsonError,
    InvalidWordError,
    PayloadTooLargeError,
    RunStatus,
    StepContext,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock

LIMIT = 2_000
APPROVED = InterruptResponse(status=InterruptStatus.APPROVED)
Door = Callable[[WorkflowRunner, str, str], Awaitable[object]]
"""Passes a name through one door to a run that waits, by its id, or beside it."""
Refused = Callable[[str, str], Awaitable[str]]

DOORS: dict[str, Door] = {
    "run_id": lambda runner, _, name: runner.start("gated", run_id=name),
    "requested_by": lambda runner, _, name: runner.start("gated", requested_by=name),
    "channel": lambda runner, _, name: runner.start("gated", channel=name),
    "responder of the answer": lambda runner, waiting, name: runner.resume(
        waiting, APPROVED.model_copy(update={"responder": name})
    ),
    "by": lambda runner, waiting, name: runner.cancel(waiting, by=name),
    "by, in retry": lambda runner, waiting, name: runner.retry(waiting, by=name),
}


def called(door: str) -> str:
    """What an error calls the name that passes this door."""
    return door.partition(",")[0]


def gated() -> Workflow:
    workflow = Workflow("gated")

    @workflow.step
    async def gate(ctx: StepContext) -> None:
        await ctx.interrupt(InterruptRequest(reason="Go on?"))

    return workflow


@pytest.fixture
def refused(place: dict[str, Any], clock: ManualClock) -> Refused:
    """How a door refuses a name; nothing has changed then."""

    async def how(door: str, name: str) -> str:
        runner = WorkflowRunner(workflows=[gated()], clock=clock, max_payload_bytes=LIMIT, **place)
        async with runner:
            waiting = (await runner.run("gated")).run_id
            with pytest.raises((InvalidJsonError, InvalidWordError, PayloadTooLargeError)) as error:
                await DOORS[door](runner, waiting, name)
            assert [(run.run_id, run.status) for run in await runner.list_runs()] == [(waiting, RunStatus.INTERRUPTED)]
        return str(error.value)

    return how


@pytest.mark.parametrize("door", DOORS)
async def test_name_that_is_too_large_is_refused_with_its_size_and_the_limit(door: str, refused: Refused) -> None:
    said = await refused(door, "x" * LIMIT)

    assert said.startswith(f"{called(door)} is {LIMIT + 2:,} bytes and the limit is {LIMIT:,};")


@pytest.mark.parametrize("door", DOORS)
async def test_name_that_is_no_unicode_is_refused(door: str, refused: Refused) -> None:
    assert await refused(door, "\ud800") == f"{called(door)}: '\\ud800' is not Unicode text"


@pytest.mark.parametrize("door", [door for door in DOORS if "answer" not in door])
async def test_name_that_is_no_text_is_refused(door: str, refused: Refused) -> None:
    said = await refused(door, 5)  # type: ignore[arg-type]  # what a caller without types gives

    assert said == f"{called(door)}: text is needed, not int"


@pytest.mark.parametrize("run_id", ["", " ", "a b", "a\n"])
async def test_id_that_is_no_word_is_refused(run_id: str, refused: Refused) -> None:
    assert await refused("run_id", run_id) == f"{run_id!r} is no id: it must be one word, without spaces"
