"""A simulated process: the product's engine and store, two lanes, and the ways it can end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from spectra_bot import StoreError, Workflow
from spectra_bot.embedded import EmbeddedEngine
from spectra_bot.store import SqliteStore
from tests.chaos.simulation.database import Died, Row, SimulatedWriter
from tests.chaos.simulation.desk import handlers
from tests.chaos.simulation.outside import OUTSIDE, Life, Outside
from tests.chaos.simulation.plan import Boundary, Plan
from tests.chaos.simulation.virtual_loop import FIRST_MOMENT_S, LANE, Lane, VirtualLoop

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LEASE_S = 3.0
MakeStore = Callable[[SimulatedWriter], SqliteStore]


class MachineClock:
    """The clocks of the simulated machine: the wall's may jump, the other one never does."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.jumped_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time() - FIRST_MOMENT_S + self.jumped_s)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True, kw_only=True)
class Machine:
    """What the processes of one simulation share."""

    plan: Plan
    loop: VirtualLoop
    clock: MachineClock
    outside: Outside
    random: Random
    path: Path
    workflows: Mapping[str, Workflow]
    make_store: MakeStore
    calm: bool = False
    commits: int = 0
    """How many transactions stored more than a sign of life."""
    crashes: int = 0


class Process:
    """One life of a process. Nothing of it happens any more once it is gone."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.engine: EmbeddedEngine | None = None
        """Where it can be asked something, while it can."""
        self.gone: asyncio.Future[None] = machine.loop.create_future()
        self._machine = machine
        self._lane, self._store_lane = Lane(name), Lane(name)
        self.context = copy_context()
        self.context.run(LANE.set, self._lane)
        self.context.run(OUTSIDE.set, machine.outside)
        self._store_context = self.context.copy()
        self._store_context.run(LANE.set, self._store_lane)
        self.life = Life(name=name, owner_id=f"o-{name}", began_at=machine.loop.time())
        machine.outside.lives[name] = self.life
        self._disk_fails_until = 0.0
        self._stop = asyncio.Event()
        self._writer = self.context.run(SimulatedWriter, machine.path, self, self._schedule)
        machine.loop.create_task(self._live(), context=self.context.copy())

    def crash(self) -> None:
        """End here and now: what is not committed never will be."""
        if self._end():
            self._machine.crashes += 1
            self._writer.abandon()

    def abandon(self) -> None:
        """Take its connection away: the simulation is over."""
        self._writer.abandon()

    def stop(self) -> None:
        """Ask it to stop, as a signal does."""
        self._stop.set()

    def freeze(self, for_s: float) -> None:
        """Stop it with all its threads for a while, as SIGSTOP does."""
        self._still(for_s)
        self._hold(for_s, self._lane, self._store_lane)

    def stall(self, for_s: float) -> None:
        """Block its event loop alone; the store's thread goes on beating."""
        self._hold(for_s, self._lane)

    def fail_disk(self, for_s: float) -> None:
        """Have no commit of it succeed for a while."""
        self._still(for_s)
        self._disk_fails_until = self._machine.loop.time() + for_s

    # What the disk does to it.

    def wait_s(self) -> float:
        random = self._machine.random
        chance = random.random()
        if chance < 0.6 or self._machine.calm:
            return 0.0 if chance < 0.6 else 0.002
        return 1.5 * random.random() if random.random() < self._machine.plan.slow_disk else 0.02 * random.random()

    def group_of(self, waiting: int) -> int:
        random = self._machine.random
        return waiting if waiting == 1 or random.random() < 0.5 else random.randrange(1, waiting + 1)

    def before_commit(self, *, counts: bool) -> None:
        machine = self._machine
        if counts:
            machine.commits += 1
            if Boundary(commit=machine.commits, after=False) in machine.plan.crashes:
                raise Died
        fails = machine.loop.time() < self._disk_fails_until or machine.random.random() < machine.plan.commit_fails
        if fails and not machine.calm:
            raise sqlite3.OperationalError("disk I/O error")

    def after_commit(self, events: list[tuple[Row, str | None]], *, counts: bool) -> None:
        machine = self._machine
        if events:
            machine.outside.committed(self.life.name, self.life.owner_id, events)
        if counts and Boundary(commit=machine.commits, after=True) in machine.plan.crashes:
            raise Died

    def before_change(self) -> None:
        machine = self._machine
        if machine.plan.job_fails and not machine.calm and machine.random.random() < machine.plan.job_fails:
            raise sqlite3.OperationalError("disk I/O error in a statement")

    def died(self) -> None:
        self.crash()

    # Its life.

    async def _live(self) -> None:
        machine = self._machine
        try:
            async with machine.make_store(self._writer) as store:
                engine = EmbeddedEngine(
                    workflows=machine.workflows,
                    store=store,
                    handlers=handlers(machine.outside),
                    clock=machine.clock,
                    recover=True,
                    lease_s=LEASE_S,
                    max_payload_bytes=100_000,
                    report=None,
                )
                async with engine:
                    self.engine = engine
                    await self._stop.wait()
                    self.engine = None
        except StoreError:
            pass  # it ends with an error, and another one is started
        self._end()

    def _end(self) -> bool:
        if self.life.ended_at is not None:
            return False
        self.engine = None
        self.life.ended_at = self._machine.loop.time()
        self._machine.outside.note("ends", self.life.name)
        self._lane.dead = self._store_lane.dead = True
        self.gone.set_result(None)
        return True

    def _hold(self, for_s: float, *lanes: Lane) -> None:
        loop = self._machine.loop
        for lane in lanes:
            lane.hold()
            loop.call_later(for_s, loop.let_go, lane)

    def _still(self, for_s: float) -> None:
        now = self._machine.loop.time()
        self.life.stood_still.append((now, now + for_s))

    def _schedule(self, wait_s: float, call: Callable[..., object], *args: object, on_loop: bool = False) -> None:
        context = self.context if on_loop else self._store_context
        if wait_s > 0:
            self._machine.loop.call_later(wait_s, call, *args, context=context)
        else:
            self._machine.loop.call_soon(call, *args, context=context)
