"""Simulates many lives of the embedded engine, with a crash at every commit boundary, and checks what must hold.

`python -m tests.chaos.simulate --seeds 2000` sweeps every boundary of every workflow once and then runs so many drawn
simulations; `--seed 17` runs one of them again. Equal seeds give equal simulations, whenever and wherever.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.chaos.simulation.database import SimulatedStore, make_template
from tests.chaos.simulation.invariants import INVARIANTS, judge
from tests.chaos.simulation.plan import Boundary, Plan, broken_at, drawn, undisturbed
from tests.chaos.simulation.process import MakeStore
from tests.chaos.simulation.simulation import Evidence, simulate
from tests.chaos.simulation.workflows import ALL

IN_MEMORY = Path("/dev/shm")  # noqa: S108  where there is one, the databases need no disk
SHOWN = 20
"""So many breaches are printed."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was simulated, and what came of it."""

    seeds: int = 0
    swept: int = 0
    """Simulations of one crash at one commit boundary."""
    crashes: int = 0
    commits: int = 0
    runs: int = 0
    checks: int = 0
    repeated_in_window: int = 0
    simulated_s: float = 0.0
    breaches: list[str] = field(default_factory=list)
    fingerprint: str = ""
    """Of all that happened, one after the other."""

    def add(self, other: Tally) -> None:
        """Count another one's in."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def take(self, evidence: Evidence) -> None:
        """Judge a simulation and count it in."""
        verdict = judge(evidence)
        self.fingerprint += evidence.outside.digest
        self.crashes += evidence.crashes
        self.commits += evidence.commits
        self.runs += len(evidence.runs)
        self.checks += verdict.checks
        self.repeated_in_window += verdict.repeated_in_window
        self.simulated_s += evidence.simulated_s
        self.breaches += [f"{evidence.plan.seed} {evidence.plan.crashes}: {breach}" for breach in verdict.breaches]


class Bench:
    """Where simulations are carried out, one after the other."""

    def __init__(self, folder: Path, make_store: MakeStore = SimulatedStore) -> None:
        self._template = folder / "template.db"
        self._path = folder / "simulated.db"
        self._make_store = make_store
        make_template(self._template)

    def carry_out(self, plan: Plan) -> Evidence:
        """One simulation."""
        return simulate(plan, template=self._template, path=self._path, make_store=self._make_store)


def boundaries(bench: Bench, workflow: str) -> Iterator[Plan]:
    """A crash before, and one after, each commit that an undisturbed run of a workflow makes."""
    commits = bench.carry_out(undisturbed(workflow)).commits
    for commit in range(1, commits + 1):
        for after in (False, True):
            yield broken_at(workflow, Boundary(commit=commit, after=after))


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for databases, in memory where that can be had."""
    return tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)


def share(workflows: Iterable[str], seeds: Iterable[int]) -> Tally:
    """Carry out a part of the work."""
    tally = Tally()
    gc.disable()  # a simulation leaves cycles; they go at a moment of our choice
    try:
        with scratch() as folder:
            bench = Bench(Path(folder))
            for workflow in workflows:
                for plan in boundaries(bench, workflow):
                    tally.take(bench.carry_out(plan))
                    tally.swept += 1
                gc.collect()
            for seed in seeds:
                tally.take(bench.carry_out(drawn(seed)))
                tally.seeds += 1
                if seed % 100 == 0:
                    gc.collect()
    finally:
        gc.enable()
    return tally


def shares(seeds: range, processes: int) -> Tally:
    """Carry out all of the work, in so many processes."""
    names = list(ALL)
    if processes == 1:
        return share(names, seeds)
    tally = Tally()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        parts = [pool.submit(share, names[part::processes], seeds[part::processes]) for part in range(processes)]
        for part in parts:
            tally.add(part.result())
    return tally


def main() -> int:
    """The command; 1 where an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many drawn simulations (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--processes", type=int, default=2, help="work in so many (default: %(default)s)")
    given = parser.parse_args()
    began = time.perf_counter()
    if given.seed is not None:
        tally = share((), (given.seed,))
        print(f"fingerprint         {tally.fingerprint}")  # noqa: T201
    else:
        tally = shares(range(given.first, given.first + given.seeds), given.processes)
    seconds = time.perf_counter() - began
    for breach in tally.breaches[:SHOWN]:
        print(f"BROKEN, seed {breach}")  # noqa: T201
    lines = (
        f"seeds run           {tally.seeds:,}, and {tally.swept:,} with a crash at each commit boundary",
        f"crashes injected    {tally.crashes:,}",
        f"commits             {tally.commits:,} in {tally.runs:,} runs",
        f"simulated           {tally.simulated_s / 3600:,.1f} hours",
        f"invariants checked  {tally.checks:,} times, {len(INVARIANTS)} of them, {len(tally.breaches)} broken",
        f"effects repeated    {tally.repeated_in_window:,}, all inside the documented window",
        f"took                {seconds:.1f} s",
    )
    print("\n".join(lines))  # noqa: T201
    return 1 if tally.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
