"""An agent whose process is killed at any boundary does what it would have done, and nothing twice that was stored."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.engines import Place, a_place_on
from tests.integration.agent import doomed
from tests.temporal_server import TemporalServer

LIMIT_S = 60
BOUNDARIES = range(1, 3 * len(doomed.EFFECTS) + 1)
"""Before each effect, after it, and when it is stored."""
SOME_BOUNDARIES = BOUNDARIES[::7]
"""Of each of the three kinds, where all would take four minutes."""
TOGETHER = 4
"""As many agents at once, where a killed worker is missed only when its lease has run out."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([doomed.__name__])
    return context


def lived(processes: ForkServerContext, *lives: tuple[Place, Path, int]) -> list[int | None]:
    """How processes end that live at the same time."""
    started = [processes.Process(target=doomed.live, args=life) for life in lives]
    for process in started:
        process.start()
    for process in started:
        process.join(LIMIT_S)
    return [process.exitcode for process in started]


def repeats_in(journal: list[str]) -> int:
    """How many effects were done again that nobody knew to be done; everything was done, and nothing else twice."""
    first_life = journal[: next(number for number, line in enumerate(journal) if line.startswith("killed"))]
    done = [line for line in journal if line in doomed.EFFECTS]
    twice = {name for name in done if done.count(name) > 1}
    not_known_to_be_stored = {name for name in first_life if f"stored {name}" not in first_life}
    assert sorted(set(done)) == sorted(doomed.EFFECTS), journal
    assert twice <= not_known_to_be_stored, journal
    assert len(done) == len(doomed.EFFECTS) + len(twice), journal
    return len(twice)


def test_agent_does_the_same_whenever_its_process_is_killed(processes: ForkServerContext, tmp_path: Path) -> None:
    repeats = 0
    for kill_at in BOUNDARIES:
        database, journal = tmp_path / f"{kill_at}.db", tmp_path / f"killed-at-{kill_at}.journal"

        ended = lived(processes, (database, journal, kill_at)) + lived(processes, (database, journal, 0))

        assert ended == [-signal.SIGKILL, 0], journal.read_text()
        repeats += repeats_in(journal.read_text().splitlines())

    # What was done and not stored yet is done again, for nobody can know: once a reply, and what ran beside.
    assert repeats >= len(doomed.EFFECTS)


def test_agent_does_the_same_whenever_its_worker_is_killed(
    processes: ForkServerContext, temporal: TemporalServer, tmp_path: Path
) -> None:
    for first in range(0, len(SOME_BOUNDARIES), TOGETHER):
        batch = SOME_BOUNDARIES[first : first + TOGETHER]
        places = {kill_at: (a_place_on(temporal), tmp_path / f"killed-at-{kill_at}.journal") for kill_at in batch}

        killed = lived(processes, *((place, journal, kill_at) for kill_at, (place, journal) in places.items()))
        ended = lived(processes, *((place, journal, 0) for place, journal in places.values()))

        assert killed == [-signal.SIGKILL] * len(batch)
        assert ended == [0] * len(batch), [journal.read_text() for _, journal in places.values()]
        for _, journal in places.values():
            repeats_in(journal.read_text().splitlines())


def test_agent_that_is_not_killed_does_each_thing_once(
    processes: ForkServerContext, place: Place, tmp_path: Path
) -> None:
    ended = lived(processes, (place, tmp_path / "journal", 0))

    journal = (tmp_path / "journal").read_text().splitlines()
    assert ended == [0]
    assert sorted(line for line in journal if not line.startswith("stored")) == sorted(doomed.EFFECTS)
