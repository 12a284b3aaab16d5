"""The engine holds in simulations, and the simulation is what it says it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.simulate import Bench, boundaries, scratch, share
from tests.chaos.simulation.invariants import judge
from tests.chaos.simulation.plan import drawn, undisturbed
from tests.chaos.simulation.workflows import ALL

TOP = Path(__file__).parents[2]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with scratch() as folder:
        yield Bench(Path(folder))


@pytest.mark.parametrize("workflow", ALL)
def test_undisturbed_run_comes_to_its_end(bench: Bench, workflow: str) -> None:
    evidence = bench.carry_out(undisturbed(workflow))

    assert judge(evidence).breaches == []
    assert evidence.came_to_an_end
    assert evidence.commits >= 10
    assert evidence.crashes == 0


@pytest.mark.parametrize("workflow", ["linear", "deadlines"])
def test_crash_at_every_commit_boundary_loses_nothing(bench: Bench, workflow: str) -> None:
    commits = bench.carry_out(undisturbed(workflow)).commits

    evidence = [bench.carry_out(plan) for plan in boundaries(bench, workflow)]

    assert [breach for one in evidence for breach in judge(one).breaches] == []
    assert [one.crashes for one in evidence] == [1] * 2 * commits


def test_crashes_freezes_faults_and_jumps_break_no_invariant() -> None:
    tally = share((), range(60))

    assert tally.breaches == []
    assert tally.seeds == 60
    assert tally.crashes > 30
    assert tally.checks > 2000


def test_same_seed_is_the_same_history_in_every_process(bench: Bench) -> None:
    here = bench.carry_out(drawn(8)).outside.digest

    again = bench.carry_out(drawn(8)).outside.digest
    there = [
        subprocess.run(
            [sys.executable, "-m", "tests.chaos.simulate", "--seed", "8"],
            check=True,
            capture_output=True,
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert again == here
    assert [said.splitlines()[0].split()[1] for said in there] == [here, here]


def test_other_seed_is_another_history(bench: Bench) -> None:
    digests = {bench.carry_out(drawn(seed)).outside.digest for seed in range(5)}

    assert len(digests) == 5
