"""Runs the tests of a folder as somebody would in a shell: they are code, and do what they do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from spectra_bot.errors import SpectraError
from spectra_bot.redact import redact
from spectra_bot.settings import environment_of_others

MAX_OUTPUT_BYTES = 20_000
"""So much is kept of what tests print: the end, which tells what failed."""

_LAST_S = 5.0
"""How long output is waited for that was on its way when the tests were over."""
_COUNT = re.compile(r"(\d+) (failed|passed|errors?|skipped|xfailed|xpassed)\b")
_NO_TESTS = (4, 5)
"""pytest's exit codes for a call that is wrong, and for no tests: https://docs.pytest.org/en/stable/reference/exit-codes.html"""


class SuiteError(SpectraError):
    """There are no tests to be run as it was said; says why."""


class SuiteOutcome(BaseModel):
    """How tests ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    exit_code: int | None
    """None where they were stopped, because their time was over."""
    counts: dict[str, int]
    """By pytest's words; empty where its last line does not stand there."""
    seconds: float
    output: str
    """The end of what they printed; secrets of known kinds are masked."""

    @property
    def is_fine(self) -> bool:
        """No test failed."""
        return self.exit_code == 0

    def in_words(self) -> str:
        """`1 failed, 2 passed`, or how else they ended."""
        if self.exit_code is None:
            return f"stopped after {self.seconds:.0f} seconds"
        return ", ".join(f"{count} {word}" for word, count in self.counts.items()) or f"exit code {self.exit_code}"


async def run_suite(command: str, folder: Path, limit_s: float) -> SuiteOutcome:
    """Run tests to their end, or stop them with all that they started.

    Raises:
        SuiteError: the program is not there, or pytest found no tests.
    """
    words = shlex.split(command)
    # A changed file of the same size and second would not be noticed beside its compiled form.
    environment = environment_of_others() | {"PYTHONDONTWRITEBYTECODE": "1"}
    began = time.monotonic()
    program = _program(words[0], folder)
    async with _tail() as (tail, write_end):
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *words[1:],
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        except OSError as error:
            raise SuiteError(f"{command!r} can't be run in {folder}: {error.strerror}") from error
        exit_code: int | None = None
        try:
            async with asyncio.timeout(limit_s):
                exit_code = await process.wait()
        except TimeoutError:
            pass
        finally:
            _stop(process.pid)
            await process.wait()
    if words[0].endswith("pytest") and exit_code in _NO_TESTS:
        raise SuiteError(f"{command!r} runs no tests in {folder}: {tail.text().strip()[-500:]}")
    return SuiteOutcome(
        command=command,
        exit_code=exit_code,
        counts=_counts(tail.text()),
        seconds=round(time.monotonic() - began, 1),
        output=tail.text(),
    )


def _program(word: str, folder: Path) -> str:
    """Where a program is: in the folder if it is a path, else where a shell finds it, else beside this Python."""
    if os.sep in word:
        return str(folder / word)
    found = shutil.which(word) or shutil.which(word, path=str(Path(sys.executable).parent))
    if found is None:
        raise SuiteError(f"{word} is not installed; install it, or name with command=... what runs the tests")
    return found


def _stop(group: int) -> None:
    """End what the tests have left running: they have a process group of their own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _counts(output: str) -> dict[str, int]:
    last: Sequence[str] = [line for line in output.splitlines() if " in " in line and _COUNT.search(line)][-1:]
    return {word: int(count) for line in last for count, word in _COUNT.findall(line)}


class _Tail(asyncio.Protocol):
    """The end of what is written into a pipe."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._kept = b""
        self._read = 0

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        self._kept = (self._kept + data)[-MAX_OUTPUT_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()

    def text(self) -> str:
        text = self._kept.decode(errors="replace")
        left_out = self._read - len(self._kept)
        return redact(f"[{left_out:,} bytes before this are left out]\n{text}" if left_out else text)


@contextlib.asynccontextmanager
async def _tail() -> AsyncIterator[tuple[_Tail, int]]:
    """A pipe of our own: asyncio's would keep a process waiting for as long as anybody else has it open."""
    read_end, write_end = os.pipe()
    transport, tail = await asyncio.get_running_loop().connect_read_pipe(_Tail, os.fdopen(read_end, "rb"))
    try:
        yield tail, write_end
    finally:
        os.close(write_end)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(tail.over.wait(), _LAST_S)
        transport.close()
