"""The rounds of a fault, in sessions of a server each, and what came of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from spectra_bot.testing import Delayed, FakeSlack
from spectra_bot.testing.people import MANIFEST_SCOPES
from tests.chaos.temporal.session import Session
from tests.chaos.temporal.verdict import begun_elsewhere_s, decided_again_s, figures, problems
from tests.temporal_server import a_temporal

FAULTS = ("worker", "server", "serve")
ROUNDS_A_SESSION = 10
SLACK_TAKES_S = 0.1
"""How long Slack works on a post: a process that is killed meanwhile does not hear where it stands."""
HISTORY_SCOPES = frozenset({"channels:history", "groups:history"})


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of all sessions so far."""

    rounds: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=dict)
    turns_again: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The figures as they are printed."""
        lines = [f"{'rounds':50} {self.rounds:8}"]
        lines += [f"{name:50} {count:8}" for name, count in self.counted.items()]
        lines += [
            f"{name}: {len(took)} times, p50 {median(took):.2f} s, max {max(took):.2f} s"
            for name, took in self.took_s.items()
            if took
        ]
        lines.append(f"{'promises broken':50} {len(self.problems):8}")
        lines += [f"turn done again: {line[:400]}" for line in self.turns_again]
        return [*lines, *(f"BROKEN: {problem}" for problem in self.problems)]

    def timed(self, name: str, took_s: Sequence[float]) -> None:
        """Add to how long something took."""
        self.took_s.setdefault(name, []).extend(took_s)


def plan(fault: str, rounds: int) -> list[list[str]]:
    """So many rounds of one fault, a list for each session."""
    return [[fault] * min(ROUNDS_A_SESSION, rounds - start) for start in range(0, rounds, ROUNDS_A_SESSION)]


async def carry_out(sessions: Sequence[Sequence[str]], seed: str, folder: Path) -> Report:
    """Strike as planned. In the first session, and every second one, the bot may read its channel."""
    report = Report()
    for number, faults in enumerate(sessions):
        may_look = number % 2 == 0
        scopes = MANIFEST_SCOPES | HISTORY_SCOPES if may_look else MANIFEST_SCOPES
        place = folder / f"session-{number}"
        with a_temporal(place) as server:
            async with FakeSlack(scopes=scopes) as slack:
                for method in ("chat.postMessage", "chat.update"):
                    slack.faults.add(method, Delayed(SLACK_TAKES_S), times=None)
                session = Session(place, server=server, slack=slack, bots=2, seed=f"{seed}/{number}", may_look=may_look)
                found, counted, drained_s = await session.run(faults)
        report.rounds += len(faults)
        report.counted.update(counted)
        report.counted.update(figures(found))
        report.timed("a killed worker's effect was begun elsewhere", begun_elsewhere_s(found.evidence))
        report.timed("a decision was stored after the server was back", decided_again_s(found))
        report.timed("a bot ended that was told to stop", session.stopped_s)
        report.timed("every run ended after the last strike", [drained_s])
        report.turns_again += found.turns_again
        report.problems += [f"{problem} [{place}]" for problem in [*problems(found), *session.problems]]
    return report
