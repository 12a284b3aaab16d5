"""`backup` and `prune`, as the README tells them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program, commands_in

WORKFLOW = """
from spectra_bot import HumanGateStep, Workflow

ship = Workflow("ship")
ship.add("gate", HumanGateStep("Ship it?", data={"plan": "x" * 500_000}))
"""


@pytest.fixture
def ship(program: Program) -> Program:
    program.file("ship.py", WORKFLOW)
    program.env["SPECTRA_WORKFLOWS"] = "ship.py"
    return program


@pytest.fixture
def two_runs(ship: Program) -> Program:
    """One that is completed and one that waits."""
    done = ship("run", "ship", "--run-id", "done")
    assert ship.type(commands_in(done.out)[0], cwd=ship.folder).code == 0
    assert ship("run", "ship", "--run-id", "waits").code == 3
    return ship


def test_backup_is_restored_by_taking_the_databases_place(two_runs: Program, tmp_path: Path) -> None:
    made = two_runs("backup", "kept.db")
    for file in two_runs.folder.glob("spectra.db*"):
        file.unlink()

    (two_runs.folder / "kept.db").rename(two_runs.folder / "spectra.db")
    (pending,) = two_runs("pending", "--json").records
    answered = two_runs("answer", pending["id"], "approve")

    assert re.fullmatch(r"Backed up 2 runs, 1\.\d MB, to kept\.db\n", made.out), made.err
    assert made.code == 0
    assert answered.code == 0, answered.err


def test_backup_is_told_as_a_record(two_runs: Program) -> None:
    made = two_runs("backup", "kept.db", "--json").records

    assert made == {
        "file": str(two_runs.folder / "kept.db"),
        "size_bytes": (two_runs.folder / "kept.db").stat().st_size,
        "runs": 2,
    }


def test_backup_replaces_nothing_without_being_told_to(two_runs: Program) -> None:
    kept = two_runs.file("kept.db", "a letter")

    refused = two_runs("backup", "kept.db")
    itself = two_runs("backup", "spectra.db", "--force")
    nowhere = two_runs("backup", "missing/kept.db")

    assert (refused.code, kept.read_text()) == (4, "a letter")
    assert "replace it with --force" in refused.err
    assert (itself.code, "that is the database itself" in itself.err) == (4, True)
    assert (nowhere.code, "No such file or directory" in nowhere.err) == (4, True)


def test_prune_says_what_it_removes(two_runs: Program) -> None:
    young = two_runs("prune", "--older-than", "90d")
    trial = two_runs("prune", "--older-than", "0s", "--dry-run")
    other = two_runs("prune", "--older-than", "0s", "--status", "failed", "--json")
    done = two_runs("prune", "--older-than", "0s", "--vacuum")
    left = [run["run_id"] for run in two_runs("runs", "--json").records]
    shown = two_runs("show", "done")

    assert young.out.startswith("Removed 0 runs with 0 events. The file has ")
    assert trial.out.startswith("Would remove 1 run (1 completed). ")
    assert (other.records["runs"], other.records["events"]) == ({}, 0)
    assert re.match(r"Removed 1 run \(1 completed\) with \d events\. The file has .* kB, of which 0 bytes", done.out)
    assert left == ["waits"]
    assert (shown.code, "no run 'done' in this database" in shown.err) == (4, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing option '--older-than'"),
        (["--older-than", "90"], "'90' is no duration: a number and a unit are needed, such as 90d, 12h or 2w"),
        (["--older-than", "-1d"], "'-1d' is no duration"),
        (["--older-than", "1.5d"], "'1.5d' is no duration"),
        (["--older-than", "9999999999999d"], "'9999999999999d' is longer than time is counted here"),
        (["--older-than", "1d", "--status", "running"], "'running' is not one of"),
    ],
)
def test_mistake_in_a_pruning_is_told_and_removes_nothing(two_runs: Program, words: list[str], said: str) -> None:
    done = two_runs("prune", *words)

    assert (done.code, said in done.err) == (2, True), done.err
    assert len(two_runs("runs", "--json").records) == 2


def test_ages_of_every_unit_are_taken(two_runs: Program) -> None:
    removed = [two_runs("prune", "--older-than", age).out[:14] for age in ("60m", "12h", "2W", "999999d")]

    assert removed == ["Removed 0 runs"] * 4


def test_without_a_database_there_is_nothing_to_take_care_of(program: Program) -> None:
    for words in (["backup", "kept.db"], ["prune", "--older-than", "1d"]):
        done = program(*words)

        assert (done.code, "there is no database" in done.err) == (4, True)
        assert list(program.folder.iterdir()) == []
