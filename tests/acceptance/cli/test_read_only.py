"""A file or a folder that takes no writing: reading works, and what would change it is refused clearly."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.program import PROGRAM, TIMEOUT_S, Outcome, Program

WORKFLOW = """
from spectra_bot import HumanGateStep, Workflow

ship = Workflow("ship")
ship.add("gate", HumanGateStep("Ship it?"))
"""
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@pytest.fixture
def ship(program: Program) -> Iterator[Program]:
    """A database with one run that waits, in a folder of its own."""
    (program.folder / "data").mkdir()
    program.file("ship.py", WORKFLOW)
    program.env |= {"SPECTRA_WORKFLOWS": "ship.py", "SPECTRA_DB": "data/spectra.db"}
    assert program("run", "ship", "--run-id", "waits").code == 3
    yield program
    (program.folder / "data").chmod(0o700)


@pytest.fixture(params=["file", "folder"])
def fixed(ship: Program, request: pytest.FixtureRequest) -> Program:
    """The same, where the file or its folder takes no writing."""
    folder = ship.folder / "data"
    assert [file.name for file in folder.iterdir()] == ["spectra.db"]
    if request.param == "file":
        (folder / "spectra.db").chmod(0o400)
    else:
        folder.chmod(0o500)
    return ship


def obeying(program: Program, *words: str) -> Outcome:
    """Call the program without root's right to write what nobody may write."""

    def drop() -> None:  # another user has none to drop, and is refused, which is as well
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)

    done = subprocess.run(
        [*PROGRAM, *words],
        cwd=program.folder,
        env=program.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=drop,
    )
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".db"}


def test_reading_works_where_nothing_can_be_written(fixed: Program) -> None:
    before = contents(fixed.folder / "data")

    (pending,) = obeying(fixed, "pending", "--json").records
    shown = obeying(fixed, "show", "waits")
    made = obeying(fixed, "backup", "kept.db")
    trial = obeying(fixed, "prune", "--older-than", "1d", "--dry-run")
    checked = obeying(fixed, "doctor")

    assert pending["run_id"] == "waits"
    assert (shown.code, "Ship it?" in shown.out) == (0, True)
    assert (made.code, made.out.startswith("Backed up 1 run,")) == (0, True)
    assert trial.out.startswith("Would remove 0 runs.")
    assert "opens and is whole; questions that wait: 1" in checked.out
    assert contents(fixed.folder / "data") == before


@pytest.mark.parametrize(
    "words", [["answer", "{id}", "approve"], ["run", "ship"], ["cancel", "waits"], ["prune", "--older-than", "0s"]]
)
def test_what_would_change_it_is_refused_in_one_line(fixed: Program, words: list[str]) -> None:
    before = contents(fixed.folder / "data")
    (pending,) = obeying(fixed, "pending", "--json").records

    refused = obeying(fixed, *(word.format(id=pending["id"]) for word in words))

    assert refused.code == 4
    assert len(refused.err.splitlines()) == 1, refused.err
    assert "let this user read and write" in refused.err
    assert contents(fixed.folder / "data") == before
