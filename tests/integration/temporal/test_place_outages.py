"""The place of large payloads is gone for a while, or something in it is: nothing is lost, and runs go on when it is
back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spectra_bot import (
    HumanGateStep,
    NotRecordedError,
    PlaceError,
    RunStatus,
    StepContext,
    StoreError,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)

LARGE = "x" * 1024 * 1024
LEASE_S = 1.0
TIMEOUT_S = 90


@pytest.fixture(autouse=True)
async def _in_time() -> AsyncIterator[None]:
    async with asyncio.timeout(TIMEOUT_S):
        yield


class Bench:
    """A workflow whose step gives a large output when it is let."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.at_work = asyncio.Event()
        self.go_on = asyncio.Event()
        self.workflow = Workflow("large")
        self.workflow.step(self.work)
        self.workflow.add("gate", HumanGateStep("Fine?"))
        self.workflow.step(self.last)

    async def work(self, ctx: StepContext) -> str:
        self.executed.append("work")
        self.at_work.set()
        await self.go_on.wait()
        return LARGE

    async def last(self, ctx: StepContext) -> int:
        self.executed.append("last")
        return len(ctx.outputs["work"])

    def runner(self, options: TemporalOptions) -> WorkflowRunner:
        return WorkflowRunner(workflows=[self.workflow], temporal=options, lease_s=LEASE_S)


async def test_output_of_a_step_is_kept_until_the_place_takes_it(
    options: TemporalOptions, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()

    async with bench.runner(options) as bot:
        run_id = await bot.start("large")
        await bench.at_work.wait()
        away = place.rename(place.with_name("away"))
        bench.go_on.set()
        # For longer than its lease: it gives signs of life.
        while caplog.messages.count("payload was not stored") < 5:
            await asyncio.sleep(0.05)
        away.rename(place)
        asked = await bot.wait(run_id)

    assert asked.outputs == {"work": LARGE}
    assert bench.executed == ["work"]


async def test_effect_is_done_once_though_the_place_takes_its_result_later(
    options: TemporalOptions, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    effects = []
    away = place.with_name("away")
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> int:
        return len(str(await ctx.once("effect", effect)))

    def effect() -> str:
        effects.append("effect")
        place.rename(away)
        return LARGE

    async with WorkflowRunner(workflows=[workflow], temporal=options, lease_s=LEASE_S) as bot:
        run_id = await bot.start("large")
        while caplog.messages.count("change was not stored") < 3:
            await asyncio.sleep(0.05)
        away.rename(place)
        done = await bot.wait(run_id, over=True)

    assert done.outputs == {"work": len(LARGE)}
    assert effects == ["effect"]


async def test_start_is_refused_while_the_place_is_gone(options: TemporalOptions, place: Path) -> None:
    bench = Bench()

    async with bench.runner(options) as bot:
        away = place.rename(place.with_name("away"))
        with pytest.raises(PlaceError, match=f"payloads at file://{place} can't be written to: FileNotFoundError"):
            await bot.start("large", {"text": LARGE})
        nothing = await bot.list_runs()
        away.rename(place)

    assert nothing == []


async def test_answer_that_the_run_can_t_go_on_with_is_not_recorded_and_counts_once_later(
    options: TemporalOptions, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 2.0)
    bench = Bench()
    bench.go_on.set()

    async with bench.runner(options) as bot:
        [request] = (await bot.run("large")).pending
        away = place.rename(place.with_name("away"))
        with pytest.raises(NotRecordedError, match="no worker took it"):
            await bot.answer(request.id, request.answer("approve", responder="cli:ada"))
        large = request.answer("approve", responder="cli:bob").model_copy(update={"notes": LARGE})
        with pytest.raises(
            NotRecordedError, match=r"because payloads at file://.* can't be written to: .*; see to that"
        ):
            await bot.answer(request.id, large)
        away.rename(place)
        while True:
            try:
                stored = await bot.answer(request.id, request.answer("approve", responder="cli:ada"))
                break
            except StoreError:
                await asyncio.sleep(0.1)
        done = await bot.wait(request.run_id, over=True)
        history = [checkpoint.event for checkpoint in await bot.history(request.run_id)]

    assert stored.responder == "cli:ada"
    assert done.outputs["last"] == len(LARGE)
    assert history.count("InterruptAnswered") == 1
    assert bench.executed == ["work", "last"]


@pytest.mark.parametrize("is_missing", [True, False], ids=["missing", "altered"])
async def test_run_of_which_an_object_is_gone_says_so_and_goes_on_when_it_is_back(
    options: TemporalOptions, place: Path, is_missing: bool
) -> None:
    bench = Bench()
    bench.go_on.set()
    async with bench.runner(options) as bot:
        [request] = (await bot.run("large", {"text": LARGE})).pending
    objects = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}

    for path, content in objects.items():
        path.unlink() if is_missing else path.write_bytes(content[:-1] + b"?")
    async with bench.runner(options) as bot:
        with pytest.raises(StoreError, match="is missing in" if is_missing else "was altered"):
            await bot.get(request.run_id)
        for path, content in objects.items():
            path.write_bytes(content)
        while True:
            try:
                await bot.answer(request.id, request.answer("approve"))
                break
            except StoreError:
                await asyncio.sleep(0.1)
        done = await bot.wait(request.run_id, over=True)

    assert done.status is RunStatus.COMPLETED
    assert done.outputs["last"] == len(LARGE)


async def test_step_whose_input_is_gone_runs_when_it_is_back(
    options: TemporalOptions, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.temporal.step_calls.PLACE_PAUSE_S", 2.0)
    bench = Bench()
    bench.go_on.set()
    spoilt: list[Path] = []

    def spoil(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        if b'"step":"work"' in content and not spoilt:
            spoilt.append(path)
            path.unlink()

    monkeypatch.setattr(
        "spectra_bot.temporal.place.Place._write", lambda self, path, content: spoil(_made(path), content)
    )
    async with bench.runner(options) as bot:
        run_id = await bot.start("large", {"text": LARGE})
        async with asyncio.timeout(20):
            while (step := (await bot.get(run_id)).steps[0]).put_off is None:
                await asyncio.sleep(0.05)
        asked = await bot.wait(run_id)

    assert spoilt
    assert f"{spoilt[0].name[:12]}" in str(step.put_off)
    assert asked.outputs == {"work": LARGE}
    assert bench.executed == ["work"]


def _made(path: str) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)
