"""Bugs that are put in on purpose, to see that the simulation finds them, and says which promise was broken."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from spectra_bot.embedded.proposing import Proposing
from spectra_bot.machine import StaleEvent, apply
from spectra_bot.machine import events as e
from spectra_bot.store import Change
from spectra_bot.store import queries as q
from spectra_bot.store.appending import run_row, write_rows
from tests.chaos.simulate import Bench, scratch
from tests.chaos.simulation.database import SimulatedStore
from tests.chaos.simulation.invariants import judge
from tests.chaos.simulation.plan import drawn
from tests.chaos.simulation.process import MakeStore


class AcksBeforeCommit(SimulatedStore):
    """Says that it is stored while it is still on its way to the disk."""

    async def append(self, change: Change, *, owner_id: str, epoch: int) -> bool:
        storing = asyncio.create_task(super().append(change, owner_id=owner_id, epoch=epoch))
        storing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return True


class ReadsThenWrites(SimulatedStore):
    """Looks whether a change may be stored, and stores it later, whatever has happened in between."""

    async def append(self, change: Change, *, owner_id: str, epoch: int) -> bool:
        if await self.owner_of(change.run_id) != (owner_id, epoch):
            return False
        return await self._write_if_it_fitted(change)

    async def append_from_outside(self, change: Change) -> bool:
        return await self._write_if_it_fitted(change)

    async def _write_if_it_fitted(self, change: Change) -> bool:
        if len(await self.events(change.run_id)) != change.expected_seq:
            return False

        def work(connection: sqlite3.Connection) -> bool:
            (count,) = connection.execute("select seq from runs where run_id = ?", (change.run_id,)).fetchone()
            late = change._replace(expected_seq=count)
            connection.execute(q.APPEND_FROM_OUTSIDE, (*run_row(late), change.run_id, count))
            write_rows(connection, late)
            return True

        return await self.writer.submit(work, writes=True)


async def expires_in_memory_alone(proposing: Proposing, run_id: str, interrupt_id: str) -> None:
    """Goes on with an expiry that it has not stored."""
    run = await proposing._holdings.own(run_id)
    if run is not None:
        expired = e.InterruptExpired(at=proposing._clock.now(), interrupt_id=interrupt_id)
        with contextlib.suppress(StaleEvent):
            run._log.state = apply(run._log.state, expired)
            run.carry_on()
    await asyncio.sleep(5)  # the store will say again and again that it is due


def seeds_until(invariant: str, make_store: MakeStore = SimulatedStore) -> int:
    """How many seeds it takes until an invariant is seen to be broken."""
    with scratch() as folder:
        bench = Bench(Path(folder), make_store)
        for seed in range(ENOUGH):
            breaches = judge(bench.carry_out(drawn(seed))).breaches
            if any(breach.startswith(f"{invariant}:") for breach in breaches):
                return seed + 1
    return ENOUGH + 1


ENOUGH = 60
"""Without a planted bug so many seeds find nothing: see test_simulate.py."""


def test_answer_that_is_acked_before_it_is_stored_is_caught() -> None:
    assert seeds_until("an_acked_answer_is_the_one_that_counts", AcksBeforeCommit) <= ENOUGH


def test_answer_that_is_checked_and_written_later_is_caught() -> None:
    assert seeds_until("an_interrupt_has_one_winner", ReadsThenWrites) <= ENOUGH


def test_expiry_that_is_not_stored_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Proposing, "expire", expires_in_memory_alone)

    assert seeds_until("a_decision_is_stored_before_it_is_acted_on") <= ENOUGH
