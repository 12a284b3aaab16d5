from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from spectra_bot import WorkflowRunner
from spectra_bot.cli.checks import Verdict, findings, foreign_handlers
from spectra_bot.settings import Settings

OURS = Path("/env/handlers")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith(("SPECTRA_", "SLACK_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_package_of_its_own_is_fine() -> None:
    assert foreign_handlers({"handlers": ["spectra-bot"]}, OURS, OURS) is None
    assert foreign_handlers({}, OURS, OURS) is None


def test_other_distribution_that_ships_handlers_is_named() -> None:
    wrong = foreign_handlers({"handlers": ["spectra-bot", "webby"]}, OURS, OURS)

    assert wrong is not None
    assert wrong.startswith("webby ships a package `handlers` too")


@pytest.mark.parametrize("folder", [Path("/elsewhere/handlers"), None])
def test_handlers_that_are_found_elsewhere_are_told(folder: Path | None) -> None:
    wrong = foreign_handlers({}, folder, OURS)

    assert wrong is not None
    assert "not in /env/handlers" in wrong


async def test_database_of_an_older_version_is_told_how_it_is_brought_up_to_date_and_nothing_else(folder: Path) -> None:
    db = folder / "spectra.db"
    async with WorkflowRunner(database=str(db)):
        pass
    with contextlib.closing(sqlite3.connect(db)) as connection:
        connection.execute("pragma user_version = 1")

    found = await findings(Settings.load(db=db))

    (line,) = [finding for finding in found if finding.subject == "database"]
    assert line.verdict is Verdict.PROBLEM
    assert line.said.endswith("or any command that changes something, brings it up to date")


@pytest.mark.parametrize(
    ("content", "verdict", "said"),
    [
        (None, Verdict.OK, "is not there yet; the first run makes it"),
        (b"no database at all, but text" * 100, Verdict.PROBLEM, "restore it from a backup"),
    ],
)
async def test_database_is_looked_at_and_not_made(
    folder: Path, content: bytes | None, verdict: Verdict, said: str
) -> None:
    db = folder / "spectra.db"
    if content is not None:
        db.write_bytes(content)

    found = await findings(Settings.load(db=db))

    (line,) = [finding for finding in found if finding.subject == "database"]
    assert line.verdict is verdict
    assert said in line.said
    assert db.exists() == (content is not None)


async def test_damaged_page_is_a_problem_with_what_to_do(folder: Path) -> None:
    db = folder / "spectra.db"
    async with WorkflowRunner(database=str(db)):
        pass
    pages = db.read_bytes()
    db.write_bytes(pages[:-8192] + bytes(4096) + pages[-4096:])

    found = await findings(Settings.load(db=db))

    (said,) = [finding.said for finding in found if finding.verdict is Verdict.PROBLEM]
    assert "is damaged" in said
    assert said.endswith("; stop what uses it and restore it from a backup")


async def test_database_that_others_can_read_is_a_problem(folder: Path) -> None:
    db = folder / "spectra.db"
    async with WorkflowRunner(database=str(db)):
        db.chmod(0o644)

    found = await findings(Settings.load(db=db))

    assert [finding.said for finding in found if finding.verdict is Verdict.PROBLEM] == [
        f"{db} can be read by others, and it holds secrets: chmod 600 {db}"
    ]


@pytest.mark.parametrize(
    ("mode", "verdict", "said"),
    [
        (None, Verdict.PROBLEM, "can't be written to: FileNotFoundError"),
        (0o750, Verdict.OK, "takes, gives back and deletes"),
        (0o755, Verdict.PROBLEM, "is open to others, and it holds secrets: chmod o-rwx"),
    ],
)
async def test_place_for_large_payloads_is_tried(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int | None, verdict: Verdict, said: str
) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("SPECTRA_TEMPORAL_PAYLOADS", f"file://{folder}/place")
    if mode is not None:
        (folder / "place").mkdir()
        (folder / "place").chmod(mode)

    (line,) = [finding for finding in await findings(Settings.load()) if finding.subject == "payloads"]

    assert line.verdict is verdict
    assert said in line.said
    assert f"file://{folder}/place" in line.said
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def test_no_place_for_large_payloads_is_no_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    (line,) = [finding for finding in await findings(Settings.load()) if finding.subject == "payloads"]

    assert line.verdict is Verdict.OFF
    assert line.said == "SPECTRA_TEMPORAL_PAYLOADS is not set, so values above 256 KiB are refused"


async def test_package_that_the_place_needs_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("SPECTRA_TEMPORAL_PAYLOADS", "gs://bucket/prefix")

    found = {finding.subject: finding.said for finding in await findings(Settings.load())}

    assert f"payloads at gs://bucket/prefix need a package: {sys.executable} -m pip install gcsfs" in found["payloads"]
    assert "TEMPORAL_ADDRESS" not in found["temporal"]
