from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from spectra_bot.demo.sample import PRICES, WRONG_LINE, make_failing_sample
from spectra_bot.demo.suite import MAX_OUTPUT_BYTES, SuiteError, run_suite

PYTHON = shlex.quote(sys.executable)


def python(code: str) -> str:
    return f"{PYTHON} -c {shlex.quote(code)}"


async def test_tests_are_counted_by_their_last_line(tmp_path: Path) -> None:
    outcome = await run_suite("pytest -q", make_failing_sample(tmp_path), 60)

    assert outcome.exit_code == 1
    assert outcome.counts == {"failed": 1, "passed": 2}
    assert outcome.in_words() == "1 failed, 2 passed"
    assert "FAILED test_prices.py::test_discount_is_in_percent" in outcome.output


async def test_change_of_the_same_size_and_second_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    folder = make_failing_sample(tmp_path)
    prices = folder / "prices.py"

    before = await run_suite("pytest -q", folder, 60)
    was = prices.stat()
    prices.write_text(PRICES.replace(WRONG_LINE, "    return whole - whole * percent //100\n"))
    os.utime(prices, ns=(was.st_atime_ns, was.st_mtime_ns))
    after = await run_suite("pytest -q", folder, 60)

    assert prices.stat().st_size == was.st_size
    assert (before.in_words(), after.in_words()) == ("1 failed, 2 passed", "3 passed")


async def test_tests_that_take_too_long_are_stopped_with_all_they_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )

    outcome = await run_suite(python(code), tmp_path, 3)

    assert outcome.exit_code is None
    assert outcome.in_words() == "stopped after 3 seconds"
    assert not outcome.is_fine
    await ends(int(outcome.output))


async def test_what_tests_leave_running_is_stopped(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)"
    )

    outcome = await run_suite(python(code), tmp_path, 60)

    assert outcome.exit_code == 0
    await ends(int(outcome.output))


async def test_cancelled_tests_are_stopped(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(600)"
    running = asyncio.create_task(run_suite(python(code), tmp_path, 600))
    while not (pid.exists() and pid.read_text()):
        await asyncio.sleep(0.01)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await ends(int(pid.read_text()))


async def test_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    outcome = await run_suite(python("print('x' * 1_000_000); print('the end')"), tmp_path, 60)

    assert outcome.output.startswith("[980,009 bytes before this are left out]\nx")
    assert outcome.output.endswith("x\nthe end\n")
    assert len(outcome.output) < MAX_OUTPUT_BYTES + 100


async def test_tests_are_given_none_of_our_settings_and_show_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SPECTRA_AGENT_MODEL", "offline")
    monkeypatch.setenv("OTHER", "xoxb-123456789")

    outcome = await run_suite(
        python("import os; print(*(os.environ.get(n) for n in ('SLACK_BOT_TOKEN', 'SPECTRA_AGENT_MODEL', 'OTHER')))"),
        tmp_path,
        60,
    )

    assert outcome.output == "None None ••••••\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program-anywhere", "no-such-program-anywhere is not installed"),
        ("./no-such-script", "No such file"),
        ("pytest -q", "runs no tests"),
        ("pytest --no-such-option", "runs no tests"),
    ],
)
async def test_what_runs_no_tests_is_refused(tmp_path: Path, command: str, said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        await run_suite(command, tmp_path, 60)


async def test_script_of_the_folder_is_run_there(tmp_path: Path) -> None:
    script = tmp_path / "check"
    script.write_text("#!/bin/sh\npwd\nexit 7\n")
    script.chmod(0o755)

    outcome = await run_suite("./check", tmp_path, 60)

    assert (outcome.output.strip(), outcome.in_words()) == (str(tmp_path), "exit code 7")


async def ends(pid: int) -> None:
    """A process is gone, or only waits to be reaped by whoever inherited it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"process {pid} goes on")
