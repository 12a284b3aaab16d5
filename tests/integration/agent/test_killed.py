"""An agent whose process is killed at any boundary does what it would have done, and nothing twice that was stored."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.integration.agent import doomed

LIMIT_S = 60
BOUNDARIES = 3 * len(doomed.EFFECTS)
"""Before each effect, after it, and when it is stored."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([doomed.__name__])
    return context


def lived(processes: ForkServerContext, folder: Path, kill_at: int) -> int | None:
    process = processes.Process(target=doomed.live, args=(str(folder / "spectra.db"), str(folder / "journal"), kill_at))
    process.start()
    process.join(LIMIT_S)
    code = process.exitcode
    process.close()
    return code


def test_agent_does_the_same_whenever_its_process_is_killed(processes: ForkServerContext, tmp_path: Path) -> None:
    repeats = 0
    for kill_at in range(1, BOUNDARIES + 1):
        folder = tmp_path / str(kill_at)
        folder.mkdir()

        ended = lived(processes, folder, kill_at), lived(processes, folder, 0)

        journal = (folder / "journal").read_text().splitlines()
        first_life = journal[: next(number for number, line in enumerate(journal) if line.startswith("killed"))]
        done = [line for line in journal if line in doomed.EFFECTS]
        twice = {name for name in done if done.count(name) > 1}
        not_known_to_be_stored = {name for name in first_life if f"stored {name}" not in first_life}
        assert ended == (-signal.SIGKILL, 0), journal
        assert sorted(set(done)) == sorted(doomed.EFFECTS), journal
        assert twice <= not_known_to_be_stored, journal
        assert len(done) == len(doomed.EFFECTS) + len(twice), journal
        repeats += len(twice)

    # What was done and not stored yet is done again, for nobody can know: once a reply, and what ran beside.
    assert repeats >= len(doomed.EFFECTS)


def test_agent_that_is_not_killed_does_each_thing_once(processes: ForkServerContext, tmp_path: Path) -> None:
    ended = lived(processes, tmp_path, 0)

    journal = (tmp_path / "journal").read_text().splitlines()
    assert ended == 0
    assert sorted(line for line in journal if not line.startswith("stored")) == sorted(doomed.EFFECTS)
