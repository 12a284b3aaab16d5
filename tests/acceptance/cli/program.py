"""The program as a person calls it: a process of its own, in a folder of its own, without a terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.cli.terminal import Pseudo

TIMEOUT_S = 60.0
_SCRIPT = Path(sys.executable).with_name("spectra-bot")
PROGRAM: list[str] = (
    [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-c", "from spectra_bot.cli import run; run()"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


class Program:
    """spectra-bot in one folder, with an environment that holds nothing of the person who runs the tests."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ}
        # The tests' own folder is importable too, where the package is not installed.
        kept["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), kept.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self.env = {**kept, "HOME": str(folder), "PYTHONWARNINGS": "error", **(env or {})}

    def __call__(self, *words: str, cwd: Path | None = None) -> Outcome:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=cwd or self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)

    def type(self, command: str, *, cwd: Path) -> Outcome:
        """Run a command that the program printed, in another folder."""
        return self(*shlex.split(command)[1:], cwd=cwd)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a call that goes on."""
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def on_terminal(self, *words: str, stdout: Path | None = None) -> Pseudo:
        """The same on a terminal."""
        return Pseudo([*PROGRAM, *words], cwd=self.folder, env=self.env, stdout=stdout)

    def file(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        place = self.folder / name
        place.write_text(text)
        return place


def commands_in(text: str) -> Sequence[str]:
    """The commands that the program printed to be copied."""
    return [line.strip() for line in text.splitlines() if line.startswith("  ") and " answer " in line]
