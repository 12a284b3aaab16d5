"""The evidence of a simulation, read once for all invariants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from spectra_bot.embedded.journal import read_shape, replay
from spectra_bot.machine import RunState, StaleEvent
from spectra_bot.machine import events as e
from tests.chaos.simulation.outside import Commit, Effect, Life, Told
from tests.chaos.simulation.simulation import Evidence


class Case:
    """The evidence, read once for all invariants."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.outside = evidence.outside
        shapes = {digest: read_shape(body) for digest, body in evidence.shapes.items()}
        self.logs: dict[str, list[tuple[int, e.Event]]] = {
            run_id: [(seq, e.load(kind, body, shapes.__getitem__)) for seq, kind, body in rows]
            for run_id, rows in evidence.events.items()
        }
        self.states: dict[str, RunState] = {}
        self.unreadable: dict[str, StaleEvent] = {}
        for run_id, rows in evidence.events.items():
            try:
                self.states[run_id] = replay(None, rows, shapes.__getitem__)[0]
            except StaleEvent as stale:
                self.unreadable[run_id] = stale
        self.commit_of: dict[tuple[str, int], Commit] = {
            (run_id, seq): commit for commit in self.outside.commits for (run_id, seq, _), _ in commit.events
        }
        self.ends: dict[str, list[tuple[str, int, e.InterruptAnswered | e.InterruptExpired]]] = defaultdict(list)
        """Where each interrupt was decided in the logs."""
        for run_id, log in self.logs.items():
            for seq, event in log:
                if isinstance(event, e.InterruptAnswered | e.InterruptExpired):
                    self.ends[event.interrupt_id].append((run_id, seq, event))

    def committed_at(self, run_id: str, seq: int) -> float:
        """When an event was committed; never, where nobody saw that."""
        commit = self.commit_of.get((run_id, seq))
        return commit.at if commit else float("inf")

    def answers(self) -> Iterator[Told]:
        """Everybody who wanted to answer."""
        return (told for told in self.outside.told if told.what == "answer")

    def disturbed(self, process: str, since: float, until: float) -> bool:
        """The process died, or stood still, in that time."""
        life = self.outside.lives[process]
        died = life.ended_at is not None and since <= life.ended_at <= until
        return died or stood_still(life, since, until)


def stood_still(life: Life, since: float, until: float) -> bool:
    """It was stopped, or could not write, at some time between these."""
    return any(begin <= until and end >= since for begin, end in life.stood_still)


def by_place(effects: list[Effect]) -> dict[tuple[str, str, int, str], list[Effect]]:
    """The effects of each `once`, in their order."""
    places: dict[tuple[str, str, int, str], list[Effect]] = defaultdict(list)
    for effect in effects:
        places[effect.run_id, effect.step, effect.visit, effect.key].append(effect)
    return places
