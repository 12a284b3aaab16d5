"""What happens in one simulation, as far as it is decided beforehand: by its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.simulation.workflows import ALL

Kind = Literal["crash", "stop", "freeze", "stall", "outage", "jump"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that happens to a process, or to the clock, at a moment."""

    at_s: float
    kind: Kind
    process: int
    for_s: float
    """How long it lasts; of a jump, how far it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The process that makes this commit dies: before it, or after it and before it hears of it."""

    commit: int
    after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One simulation."""

    seed: str
    workflows: tuple[str, ...]
    """One run is started of each."""
    processes: int = 1
    crashes: tuple[Boundary, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    calm_s: float = 0.0
    """From this moment on nothing fails any more."""
    disorder: float = 0.0
    slow_disk: float = 0.0
    commit_fails: float = 0.0
    job_fails: float = 0.0
    handler_trouble: float = 0.0
    death_is_seen: bool = True
    """The kernel tells that a process is dead; otherwise its lease has to run out."""
    steered: float = 0.0
    """How likely someone cancels a run."""
    looks_into_file: bool = False
    """Check the file's integrity at the end."""


def undisturbed(workflow: str) -> Plan:
    """A run of a workflow in one process that nothing happens to."""
    return Plan(seed=f"sweep-{workflow}", workflows=(workflow,), steered=0.7 if workflow == "patient" else 0.0)


def broken_at(workflow: str, boundary: Boundary, variant: int = 0) -> Plan:
    """The same with one crash."""
    return Plan(
        seed=f"sweep-{workflow}-{variant}" if variant else f"sweep-{workflow}",
        workflows=(workflow,),
        crashes=(boundary,),
        steered=0.7 if workflow == "patient" else 0.0,
        death_is_seen=boundary.commit % 2 == 0,
    )


def drawn(seed: int) -> Plan:
    """Several runs, several processes, and whatever can happen to them."""
    random = Random(seed)  # noqa: S311  nothing is hidden by it
    names = list(ALL)
    processes = 1 + (random.random() < 0.6)
    calm_s = random.uniform(5, 20)
    kinds: list[Kind] = ["crash", "crash", "crash", "stop", "freeze", "freeze", "stall", "outage", "jump"]
    troubles = [
        _trouble(random, random.choice(kinds), random.uniform(0, calm_s), random.randrange(processes))
        for _ in range(random.choice((0, 1, 2, 3, 5)))
    ]
    return Plan(
        seed=str(seed),
        workflows=tuple(random.sample(names, random.choice((1, 1, 2)))),
        processes=processes,
        crashes=tuple(
            Boundary(commit=random.randrange(1, 60), after=random.random() < 0.5)
            for _ in range(random.choice((0, 1, 2, 4)))
        ),
        troubles=tuple(sorted(troubles, key=lambda trouble: trouble.at_s)),
        calm_s=calm_s,
        disorder=random.choice((0.0, 0.2, 0.8)),
        slow_disk=random.choice((0.0, 0.02, 0.2)),
        commit_fails=random.choice((0.0, 0.0, 0.03, 0.2)),
        job_fails=random.choice((0.0, 0.0, 0.02)),
        handler_trouble=random.choice((0.0, 0.0, 0.1, 0.4)),
        death_is_seen=random.random() < 0.5,
        steered=random.choice((0.0, 0.1, 0.5)),
        looks_into_file=seed % 10 == 0,
    )


def _trouble(random: Random, kind: Kind, at_s: float, process: int) -> Trouble:
    for_s = random.choice((0.3, 1.0, 4.0, 8.0)) * random.uniform(0.5, 1.5)
    if kind == "freeze" and random.random() < 0.6:
        for_s = random.uniform(3.0, 5.0)  # it wakes just when another takes its runs over: its lease is 3 s
    if kind == "jump":
        for_s = random.choice((-1, 1)) * random.choice((1.0, 30.0, 3600.0)) * random.uniform(0.5, 5)
    return Trouble(at_s=at_s, kind=kind, process=process, for_s=for_s)
