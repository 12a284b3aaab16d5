"""Without its extra, the agent's package says what to install, and everything else works."""

from __future__ import annotations

import subprocess
import sys

HIDES = "import sys; sys.modules.update(dict.fromkeys(('pydantic_ai', 'pydantic_ai.tools'))); "


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", HIDES + code], capture_output=True, text=True, check=False).stderr


def test_missing_extra_is_named_with_what_installs_it() -> None:
    assert "-m pip install 'spectra-bot[agent]'" in python("import spectra_bot.agent")


def test_nothing_else_needs_it() -> None:
    assert python("import spectra_bot, spectra_bot.cli, handlers.slack") == ""
