"""What `serve` runs, in this process."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectra_bot import HumanGateStep, StepContext, Workflow, WorkflowRunner
from spectra_bot.app import Service
from spectra_bot.demo.release import release
from spectra_bot.settings import Settings
from spectra_bot.testing import FakeSlack


@pytest.fixture
def frozen_before() -> Iterator[int]:
    thresholds = gc.get_threshold()
    yield gc.get_freeze_count()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


async def test_what_is_loaded_once_is_not_looked_through_by_each_collection(tmp_path: Path, frozen_before: int) -> None:
    stop = asyncio.Event()
    frozen: list[int] = []

    def ready(_where: str) -> None:
        frozen.append(gc.get_freeze_count())
        stop.set()

    async with FakeSlack() as slack:
        settings = Settings.load(
            db=tmp_path / "spectra.db",
            port=0,
            slack_api_url=slack.base_url,
            slack_bot_token=slack.bot_token,
            slack_signing_secret=slack.signing_secret,
        )
        await Service(settings=settings, workflows=[release]).run(stop, ready=ready)

    assert frozen[0] > frozen_before + 10_000


async def test_what_a_run_is_at_is_shown_in_its_thread(tmp_path: Path) -> None:
    workflow = Workflow("tidy", channel="C1")
    workflow.add("gate", HumanGateStep("Tidy up?"))

    @workflow.step
    async def work(ctx: StepContext) -> None:
        ctx.progress(text="sweeping")

    async with WorkflowRunner(workflows=[workflow], database=str(tmp_path / "spectra.db")) as runner:
        await runner.run("tidy")
    stop, at_it = asyncio.Event(), asyncio.Event()
    async with FakeSlack() as slack:

        def ready(where: str) -> None:
            slack.app_url = where
            at_it.set()

        settings = Settings.load(
            db=tmp_path / "spectra.db",
            port=0,
            slack_api_url=slack.base_url,
            slack_bot_token=slack.bot_token,
            slack_signing_secret=slack.signing_secret,
        )
        serving = asyncio.create_task(Service(settings=settings, workflows=[workflow]).run(stop, ready=ready))
        await at_it.wait()
        [message] = await slack.wait_for(lambda: slack.messages("C1"))

        await slack.click(message, "Approve")

        await slack.wait_for(lambda: any("sweeping" in said.shown for said in slack.thread("C1", message.ts)))
        stop.set()
        await serving
