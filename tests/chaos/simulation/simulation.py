"""One simulation from its plan to the evidence it leaves."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from spectra_bot import retry_policy as retry_policy_module
from spectra_bot.embedded import engine as engine_module
from spectra_bot.embedded import holdings as holdings_module
from spectra_bot.embedded import outbox as outbox_module
from spectra_bot.embedded import upkeep as upkeep_module
from spectra_bot.engine import ids as ids_module
from spectra_bot.engine import reconciler as reconciler_module
from spectra_bot.machine import RunState
from spectra_bot.store import Owner
from tests.chaos.simulation.database import SimulatedStore, copy_template
from tests.chaos.simulation.outside import OUTSIDE, Outside, here
from tests.chaos.simulation.people import People
from tests.chaos.simulation.plan import Plan, Trouble
from tests.chaos.simulation.process import Machine, MachineClock, MakeStore, Process
from tests.chaos.simulation.virtual_loop import FIRST_MOMENT_S, VirtualLoop
from tests.chaos.simulation.workflows import ALL

BOUND_S = 300.0
"""So long after nothing fails any more everything must have come to its end."""
ROUND_S, PAUSE_S = 8.0, 0.5
"""How often, and with what pauses, messages are looked after, in place of ten minutes and 1 s."""
POLL_S = 0.4
"""How often processes look around, in place of the product's 0.1 s: less to simulate."""
WORKFLOWS = {name: make() for name, make in ALL.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is left when a simulation has ended: the database, the world outside, and what was in memory."""

    plan: Plan
    outside: Outside
    runs: list[tuple[str, str, int, int, str | None, int]]
    """Run, status, is open, number of events, owner, has a note for its owner."""
    events: dict[str, list[tuple[int, str, str]]]
    interrupts: dict[str, tuple[str, str]]
    """Run and status, by interrupt."""
    shapes: dict[str, str]
    live: list[tuple[str, RunState]]
    """Runs in the memory of the process that owns them."""
    wanted: list[str]
    """The runs that someone wanted started."""
    integrity: str
    complaints: list[str]
    """What the loop, or the product's log at ERROR, had to say."""
    came_to_an_end: bool
    commits: int
    crashes: int
    simulated_s: float


def simulate(plan: Plan, *, template: Path, path: Path, make_store: MakeStore = SimulatedStore) -> Evidence:
    """Carry out a plan on a fresh database."""
    path.unlink(missing_ok=True)
    copy_template(template, path)
    with _seeded(plan), _listening() as said:
        world = _World(plan, path, make_store)
        try:
            world.loop.run_until_complete(world.play())
            return world.evidence(said)
        finally:
            world.end()


class _World:
    """The machine, its processes and the people around it."""

    def __init__(self, plan: Plan, path: Path, make_store: MakeStore) -> None:
        self.plan = plan
        self.loop = VirtualLoop(Random(f"{plan.seed} order"), disorder=plan.disorder)  # noqa: S311
        self.random = Random(f"{plan.seed} world")  # noqa: S311
        self.processes: list[Process] = []
        self.people = People(
            outside=lambda: self.outside,
            random=Random(f"{plan.seed} people"),  # noqa: S311
            processes=lambda: self.processes,
            spawn=self.spawn,
        )
        self.outside = Outside(
            random=self.random, now=self.loop.time, posted=self.people.saw, concluded=self.people.heard
        )
        self.outside.handler_trouble = plan.handler_trouble
        self.machine = Machine(
            plan=plan,
            loop=self.loop,
            clock=MachineClock(self.loop),
            outside=self.outside,
            random=self.random,
            path=path,
            workflows={name: WORKFLOWS[name] for name in plan.workflows},
            make_store=make_store,
        )
        self.wanted = [f"r-{name}" for name in plan.workflows]
        self.came_to_an_end = False
        self._spawned: list[asyncio.Task[None]] = []
        self._look = sqlite3.connect(path, isolation_level=None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done in the world, whoever asks for it."""
        self._spawned.append(self.loop.create_task(work, context=self._context.copy()))

    async def play(self) -> None:
        """Everything that happens."""
        self._context = copy_context()
        self.processes = [Process(self.machine, f"p{number}.1") for number in range(self.plan.processes)]
        for number in range(self.plan.processes):
            self.spawn(self._keep_alive(number))
        for trouble in self.plan.troubles:
            self.loop.call_later(trouble.at_s, self._make, trouble)
        self.loop.call_later(self.plan.calm_s, self._calm_down)
        starts = [
            self.loop.create_task(self.people.start(f"r-{name}", name), context=self._context.copy())
            for name in self.plan.workflows
        ]
        for name in self.plan.workflows:
            if self.random.random() < self.plan.steered:
                self.people.begin(self.people.cancel(f"r-{name}"))
        self.spawn(self.people.close_all())
        await asyncio.wait(starts)
        until_s = self.loop.time() + self.plan.calm_s + BOUND_S
        while self.loop.time() < until_s:
            await asyncio.sleep(1.0)
            if self.machine.calm and not self.people.busy and self._all_over():
                await asyncio.sleep(1.0)
                if not self.people.busy and self._all_over():
                    self.came_to_an_end = True
                    return

    def evidence(self, said: list[str]) -> Evidence:
        """What is left."""
        rows = self._look.execute("select run_id, status, is_open, seq, owner, noted from runs").fetchall()
        events: dict[str, list[tuple[int, str, str]]] = {run_id: [] for run_id, *_ in rows}
        for run_id, seq, kind, body in self._look.execute("select run_id, seq, kind, body from events order by 1, 2"):
            events.setdefault(run_id, []).append((seq, kind, body))
        owners = {run_id: owner for run_id, _, _, _, owner, noted in rows if not noted}
        check = self._look.execute("pragma integrity_check").fetchone()[0] if self.plan.looks_into_file else "ok"
        return Evidence(
            plan=self.plan,
            outside=self.outside,
            runs=rows,
            events=events,
            interrupts={
                interrupt_id: (run_id, status)
                for interrupt_id, run_id, status in self._look.execute(
                    "select interrupt_id, run_id, status from interrupts"
                )
            },
            shapes=dict(self._look.execute("select digest, body from shapes").fetchall()),
            live=[
                (run.state.run_id, run.state)
                for process in self.processes
                if process.engine is not None
                for run in process.engine._holdings.all_here()
                if not run.lost and owners.get(run.state.run_id) == process.life.owner_id
            ],
            wanted=self.wanted,
            integrity=check,
            complaints=[*said, *self.loop.complaints],
            came_to_an_end=self.came_to_an_end,
            commits=self.machine.commits,
            crashes=self.machine.crashes,
            simulated_s=self.loop.time() - FIRST_MOMENT_S,
        )

    def end(self) -> None:
        """Take it all away."""
        self._look.close()
        for process in self.processes:
            process.abandon()
        self.loop.end()

    def _all_over(self) -> bool:
        row = self._look.execute("select count(*), coalesce(sum(is_open), 0) from runs").fetchone()
        return bool(row == (len(self.wanted), 0))

    def _calm_down(self) -> None:
        self.machine.calm = True
        self.outside.handler_trouble = 0.0

    def _make(self, trouble: Trouble) -> None:
        process = self.processes[trouble.process]
        self.outside.note(trouble.kind, process.life.name)
        match trouble.kind:
            case "crash":
                process.crash()
            case "stop":
                process.stop()
            case "freeze":
                process.freeze(trouble.for_s)
            case "stall":
                process.stall(trouble.for_s)
            case "outage":
                process.fail_disk(trouble.for_s)
            case "jump":
                self.machine.clock.jumped_s += trouble.for_s

    async def _keep_alive(self, number: int) -> None:
        """Start another process a while after one has gone."""
        life = 1
        while True:
            await self.processes[number].gone
            await asyncio.sleep(self.random.uniform(0.05, 2.0))
            life += 1
            self.processes[number] = Process(self.machine, f"p{number}.{life}")


@contextmanager
def _seeded(plan: Plan) -> Iterator[None]:
    """Put seeds in the place of chance, and the simulated machine in the place of the kernel."""
    random = Random(f"{plan.seed} product")  # noqa: S311

    def new_owner(lease_s: float) -> Owner:
        return Owner(owner_id=f"o-{here()}", boot_id="boot", pid_namespace="machine", pid=1, lease_s=lease_s)

    def is_surely_dead(other: Owner, us: Owner) -> bool:
        life = OUTSIDE.get().lives[other.owner_id.removeprefix("o-")]
        return plan.death_is_seen and life.ended_at is not None

    with (
        patch.object(engine_module, "new_owner", new_owner),
        patch.object(holdings_module, "is_surely_dead", is_surely_dead),
        patch.object(ids_module, "secrets", SimpleNamespace(randbits=random.getrandbits)),
        patch.object(retry_policy_module, "random", random),
        patch.object(outbox_module, "MAX_RETRY_S", 8.0),
        patch.object(upkeep_module, "POLL_S", POLL_S),
        patch.object(engine_module, "POLL_S", POLL_S),
        patch.object(reconciler_module, "ROUND_S", ROUND_S),
        patch.object(reconciler_module, "PAUSE_S", PAUSE_S),
    ):
        yield


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Hear only what the product logs as an error: it has met what it never should."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.getMessage()}: {record.exc_info[1]!r}" if record.exc_info else record.getMessage())

    logger, ear = logging.getLogger("spectra_bot"), Ear()
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(ear)
    try:
        yield said
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = propagate
