"""Names that callers give, of runs, people and channels: what can't be stored, or typed again, is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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

LIMIT = 2_000
APPROVED = InterruptResponse(status=InterruptStatus.APPROVED)
Door = Callable[[WorkflowRunner, str], Awaitable[object]]
"""Passes a name through one door to the run `r-1`, which waits, or beside it."""

DOORS: dict[str, Door] = {
    "run_id": lambda runner, name: runner.start("gated", run_id=name),
    "requested_by": lambda runner, name: runner.start("gated", requested_by=name),
    "channel": lambda runner, name: runner.start("gated", channel=name),
    "responder of the answer": lambda runner, name: runner.resume(
        "r-1", APPROVED.model_copy(update={"responder": name})
    ),
    "by": lambda runner, name: runner.cancel("r-1", by=name),
    "by, in retry": lambda runner, name: runner.retry("r-1", by=name),
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


async def refusal(door: str, name: str) -> Exception:
    """How a door refuses a name; nothing has changed then."""
    runner = WorkflowRunner(workflows=[gated()], database=":memory:", max_payload_bytes=LIMIT)
    async with runner:
        await runner.run("gated", run_id="r-1")
        with pytest.raises((InvalidJsonError, InvalidWordError, PayloadTooLargeError)) as refused:
            await DOORS[door](runner, name)
        assert [(run.run_id, run.status) for run in await runner.list_runs()] == [("r-1", RunStatus.INTERRUPTED)]
    return refused.value


@pytest.mark.parametrize("door", DOORS)
async def test_name_that_is_too_large_is_refused_with_its_size_and_the_limit(door: str) -> None:
    said = str(await refusal(door, "x" * LIMIT))

    assert said.startswith(f"{called(door)} is {LIMIT + 2:,} bytes and the limit is {LIMIT:,};")


@pytest.mark.parametrize("door", DOORS)
async def test_name_that_is_no_unicode_is_refused(door: str) -> None:
    assert str(await refusal(door, "\ud800")) == f"{called(door)}: '\\ud800' is not Unicode text"


@pytest.mark.parametrize("door", [door for door in DOORS if "answer" not in door])
async def test_name_that_is_no_text_is_refused(door: str) -> None:
    said = str(await refusal(door, 5))  # type: ignore[arg-type]  # what a caller without types gives

    assert said == f"{called(door)}: text is needed, not int"


@pytest.mark.parametrize("run_id", ["", " ", "a b", "a\n"])
async def test_id_that_is_no_word_is_refused(run_id: str) -> None:
    assert str(await refusal("run_id", run_id)) == f"{run_id!r} is no id: it must be one word, without spaces"
