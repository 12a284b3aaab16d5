"""What `serve` runs, in this process."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

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
