"""Kills real processes under load and checks that nothing acked is lost and nothing is repeated outside the window.

    python -m tests.chaos.kill --rounds 200 [--seed N]

Two or three `spectra-bot serve` share a file; half of the files are served over HTTP, half over Socket Mode. People
start runs and click all the time. The seed decides what is done; when exactly it hits is up to the machine. It prints
what it counted, and exits with 1 and a line BROKEN for each promise of the README that did not hold.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import click

from spectra_bot.embedded.ownership import LEASE_S
from spectra_bot.testing import Delayed, FakeSlack
from tests.chaos.killing.bots import Bot, Strike
from tests.chaos.killing.crowd import Crowd
from tests.chaos.killing.evidence import collect
from tests.chaos.killing.takeovers import Takeovers
from tests.chaos.killing.verdict import figures, problems

ROUNDS_A_FILE = 25
DRAINED_S = 90.0
"""Every run must have ended so long after the last strike."""
SLACK_TAKES_S = 0.1
"""How long Slack works on a post: a process that is killed meanwhile does not hear where it stands."""
WEIGHTS = {"kill one": 10, "kill one as it starts": 2, "kill all": 3, "terminate one": 2, "hold one": 2, "outlast": 3}
"""How often each strike is drawn. `outlast` holds a process for longer than its lease, while the rounds go on."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of all files so far."""

    rounds: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=lambda: {"killed": [], "held": [], "drained": []})
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The figures as they are printed."""
        lines = [f"{'rounds':42} {self.rounds:8}"]
        lines += [f"{name:42} {count:8}" for name, count in self.counted.items()]
        names = {
            "killed": "runs of a killed process taken over",
            "held": "runs of a process that stood still taken over",
            "drained": "every run ended after the last strike",
        }
        for how, name in names.items():
            took = self.took_s[how]
            if took:
                lines.append(f"{name}: {len(took)} times, p50 {median(took):.2f} s, max {max(took):.2f} s")
        lines.append(f"{'promises broken':42} {len(self.problems):8}")
        return [*lines, *(f"BROKEN: {problem}" for problem in self.problems)]


class Killing:
    """Some rounds on one file.

    Args:
        folder: where its database, its journal and the bots' logs stand.
    """

    def __init__(self, folder: Path, *, slack: FakeSlack, mode: str, seed: str) -> None:
        chance = self._chance = random.Random(seed)  # noqa: S311  it decides what is killed
        self._slack = slack
        self._folder = folder
        self._strikes: list[Strike] = []
        self._bots = [
            Bot(f"bot-{number}", slack=slack, mode=mode, folder=folder, strikes=self._strikes)
            for number in range(chance.choice((2, 2, 3)))
        ]
        self._crowd = Crowd(slack, self._bots, random.Random(f"{seed}/crowd"))  # noqa: S311
        self._takeovers = Takeovers(folder / "spectra.db", self._bots)
        self._holding: list[asyncio.Task[None]] = []
        self._wrong_exits: list[str] = []

    async def run(self, strikes: Sequence[str], report: Report) -> None:
        """Strike while people click, wait for the end of every run, and judge."""
        try:
            for bot in self._bots:
                await bot.spawn()
            for bot in self._bots:
                await bot.ready()
            async with self._crowd:
                for strike in strikes:
                    self._crowd.start_runs(self._chance.randint(2, 6))
                    await asyncio.sleep(self._chance.uniform(0.1, 1.2))
                    await self._strike(strike)
                    report.rounds += 1
                await asyncio.gather(*self._holding)
            report.took_s["drained"].append(await self._drain())
            await self._takeovers.stop()
            for bot in self._bots:
                await self._terminate(bot)
        finally:
            for bot in self._bots:
                await bot.close()
        await self._judge(report)

    async def _strike(self, what: str) -> None:
        free = [bot for bot in self._bots if not bot.is_held]
        bot = self._chance.choice(free)
        match what:
            case "kill one":
                await self._kill([bot])
            case "kill all":
                await self._kill(self._bots)
            case "kill one as it starts":
                await self._kill([bot], again_after_s=self._chance.uniform(0, 1.5))
            case "terminate one":
                await self._terminate(bot)
                await bot.spawn()
                await bot.ready()
            case "hold one":
                await bot.hold(self._chance.uniform(0.2, 2))
            case "outlast" if len(free) == len(self._bots):
                self._takeovers.watch(bot, "held")
                self._holding.append(asyncio.create_task(bot.hold(LEASE_S + self._chance.uniform(1.5, 4))))

    async def _kill(self, bots: list[Bot], again_after_s: float | None = None) -> None:
        for bot in bots:
            self._takeovers.watch(bot, "killed")
            await bot.kill()
        for bot in bots:
            await bot.spawn()
            if again_after_s is not None:
                await asyncio.sleep(again_after_s)
                await bot.kill()
                await bot.spawn()
        for bot in bots:
            await bot.ready()

    async def _terminate(self, bot: Bot) -> None:
        code = await bot.terminate()
        if code != 0:
            self._wrong_exits.append(f"a bot that was told to stop exited with {code}: {bot.logs[-1]}")

    async def _drain(self) -> float:
        """Approve whatever is asked until nothing is open; returns how many seconds it took."""
        began = time.monotonic()
        connection = sqlite3.connect(self._folder / "spectra.db")
        while time.monotonic() - began < DRAINED_S:
            await self._crowd.close_all()
            [(open_runs,)] = connection.execute("select count(*) from runs where is_open = 1").fetchall()
            if not open_runs and not self._crowd.open_messages():
                break
            await asyncio.sleep(0.2)
        connection.close()
        return time.monotonic() - began

    async def _judge(self, report: Report) -> None:
        found = await collect(
            self._folder / "spectra.db",
            self._folder / "journal",
            slack=self._slack,
            clicks=self._crowd.clicks,
            started=self._crowd.started,
            strikes=self._strikes,
            logs=[log for bot in self._bots for log in bot.logs],
        )
        at_the_end = len(self._bots)
        struck = Counter(strike.signal for strike in self._strikes)
        struck[signal.SIGTERM] -= at_the_end
        report.counted.update({f"struck by {number.name}": count for number, count in struck.items()})
        report.counted.update(figures(found))
        for how, took in self._takeovers.took_s.items():
            report.took_s[how] += took
        report.problems += [f"{problem} [{self._folder}]" for problem in [*problems(found), *self._wrong_exits]]


def draw(rounds: int, seed: int) -> list[list[str]]:
    """The strikes of so many rounds, a list for each file."""
    chance = random.Random(seed)  # noqa: S311  it decides what is killed
    strikes = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=rounds)
    return [strikes[start : start + ROUNDS_A_FILE] for start in range(0, rounds, ROUNDS_A_FILE)]


async def kill(plan: Sequence[Sequence[str]], seed: int, folder: Path) -> Report:
    """Strike as planned, on a file each list: the first over HTTP, the second over Socket Mode, and so on."""
    report = Report()
    modes: tuple[Literal["http"], Literal["socket"]] = ("http", "socket")
    for number, strikes in enumerate(plan):
        place = folder / f"file-{number}"
        place.mkdir()
        mode = modes[number % 2]
        async with FakeSlack(mode=mode) as slack:
            for method in ("chat.postMessage", "chat.update"):
                slack.faults.add(method, Delayed(SLACK_TAKES_S), times=None)
            await Killing(place, slack=slack, mode=mode, seed=f"{seed}/{number}").run(strikes, report)
    return report


@click.command(help=__doc__)
@click.option("--rounds", default=200, show_default=True, help="How often something is killed, stopped or held.")
@click.option("--seed", type=int, help="What is done, by number; printed, and by chance where it is not given.")
def main(rounds: int, seed: int | None) -> None:
    seed = secrets.randbelow(10**6) if seed is None else seed
    click.echo(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="spectra-kill-"))
    began = time.monotonic()
    report = asyncio.run(kill(draw(rounds, seed), seed, folder))
    for line in report.lines():
        click.echo(line)
    click.echo(f"took {time.monotonic() - began:.0f} s")
    if report.problems:
        click.echo(f"the files are in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()
