"""What the core does without, and how it is installed where something needs it."""

from __future__ import annotations

import shlex
import sys

_EXTRAS = {"pydantic_ai": "agent", "redis": "redis", "temporalio": "temporal", "fsspec": "temporal"}
"""The extra that brings each package."""


def how_to_install(lacking: ModuleNotFoundError) -> str | None:
    """What is missing, and the command that installs it; None if no extra brings it."""
    package = (lacking.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    return None if extra is None else f"{package} is not installed: {install(f'spectra-bot[{extra}]')}"


def install(package: str) -> str:
    """The command that installs a package for this Python, typed in any folder.

    An extra of ours is added to what is installed: a clone that is, as an editable, stays so.
    """
    return shlex.join([sys.executable, "-m", "pip", "install", package])
