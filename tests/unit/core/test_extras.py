"""What is missing is named with a command that can be typed as it stands, in whatever folder."""

from __future__ import annotations

import sys

import pytest

from spectra_bot.extras import how_to_install


@pytest.mark.parametrize(
    ("python", "typed"), [("/srv/bot/bin/python", "/srv/bot/bin/python"), ("/my bot/python", "'/my bot/python'")]
)
def test_command_is_for_the_python_that_lacks_the_package(
    monkeypatch: pytest.MonkeyPatch, python: str, typed: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)

    said = how_to_install(ModuleNotFoundError("no redis here", name="redis.asyncio"))

    assert said == f"redis is not installed: {typed} -m pip install 'spectra-bot[redis]'"


def test_what_no_extra_brings_has_no_command() -> None:
    assert how_to_install(ModuleNotFoundError("no panda here", name="panda")) is None
