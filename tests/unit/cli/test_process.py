"""A process that does not stop by itself is ended."""

from __future__ import annotations

import subprocess
import sys

TIMEOUT_S = 60


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_process_that_does_not_stop_in_time_is_ended_and_says_so() -> None:
    ended = python(
        "import threading; from spectra_bot.cli.process import end_within; end_within(0.1); threading.Event().wait()"
    )

    assert ended.returncode == 0
    assert "process did not stop in time" in ended.stderr


def test_process_that_stops_in_time_is_let_be() -> None:
    ended = python("from spectra_bot.cli.process import end_within; end_within(3600)")

    assert (ended.returncode, ended.stderr) == (0, "")
