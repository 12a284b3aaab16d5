"""Some rounds on one Temporal server: bots that share it, people who click, and what strikes either."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from temporalio.client import Client

from spectra_bot import StoreError, TemporalOptions, WorkflowRunner
from spectra_bot.embedded.ownership import LEASE_S
from spectra_bot.testing import FakeSlack
from tests.chaos.killing.bots import Bot, Strike
from tests.chaos.killing.crowd import CHANNEL, Crowd
from tests.chaos.temporal.evidence import Found, Outage, collect
from tests.temporal_server import TemporalServer

DRAINED_S = 120.0
"""Every run must have ended so long after the last strike."""
AT_WORK_S = 20.0
"""So long it may take until there is something to strike."""
SELDOM_S = 0.4
"""At most so long until the next click: each takes a few calls, and two cores have a server and two bots to carry."""
STOPPED_S = 60.0
"""A bot that was told to stop must have ended so long after."""
PRESSED_AGAIN_S = 3.0
"""A bot goes on trying with each answer that it could not store, so nobody presses again at once."""
_POLL_S = 0.01
_NEWEST_LINES = 8_192
OUTLASTING = 0.2
"""So often the server is away for longer than a worker may be silent."""

EVENTS = 60
"""Runs of so many events go on in a new history, while people click and processes die."""


class Session:
    """Bots on one server, until the block ends.

    Args:
        folder: where the journal and the bots' logs stand.
        may_look: the bot may read its channel.
    """

    def __init__(
        self, folder: Path, *, server: TemporalServer, slack: FakeSlack, bots: int, seed: str, may_look: bool
    ) -> None:
        chance = self._chance = random.Random(seed)  # noqa: S311  it decides what is struck
        self._server = server
        self._slack = slack
        self._may_look = may_look
        self._journal = folder / "journal"
        self._strikes: list[Strike] = []
        self._outages: list[Outage] = []
        self._clicks_struck = 0
        self._waits_given_up = 0
        self._options = TemporalOptions(address=server.address, task_queue="spectra")
        engine = {"SPECTRA_ENGINE": "temporal", "TEMPORAL_ADDRESS": server.address, "CHAOS_EVENTS": str(EVENTS)}
        self._bots = [
            Bot(f"bot-{number}", slack=slack, mode="http", folder=folder, strikes=self._strikes, engine=engine)
            for number in range(bots)
        ]
        self._crowd = Crowd(slack, self._bots, chance, seldom_s=SELDOM_S)
        self._waiting: dict[str, asyncio.Task[str]] = {}
        self.stopped_s: list[float] = []
        """How long each bot took to end that was told to stop."""
        self.problems: list[str] = []
        """What bots did that nobody struck."""

    async def run(self, faults: Sequence[str]) -> tuple[Found, Counter[str], float]:
        """Strike while people click and wait; returns what is left then, the counts, and how long it took to drain."""
        try:
            for bot in self._bots:
                await bot.spawn()
            for bot in self._bots:
                await bot.ready()
            async with WorkflowRunner(temporal=self._options, recover=False) as runner:
                async with self._crowd:
                    for fault in faults:
                        self._crowd.start_runs(self._chance.randint(3, 5))
                        await asyncio.sleep(self._chance.uniform(0.2, 1.2))
                        self._wait_for_new_runs(runner)
                        await self._strike(fault)
                    await asyncio.sleep(1)
                drained_s = await self._drain(runner)
                waited = [(run_id, await waiting) for run_id, waiting in self._waiting.items()]
            counted = Counter({"workers killed": len(self._strikes)})
            for bot in self._bots:
                await self._stop(bot)
        finally:
            for bot in self._bots:
                await bot.close()
            for waiting in self._waiting.values():
                waiting.cancel()
        counted["server killed"] = len(self._outages)
        counted["clicks under way at a killed process"] = self._clicks_struck
        counted["waits that were told to wait anew"] = self._waits_given_up
        return await self._found(waited), counted, drained_s

    async def _strike(self, fault: str) -> None:
        match fault:
            case "worker":
                bot = await self._first(self._works)
                await self._kill(bot)
            case "serve":
                bot = await self._first(lambda one: bool(self._crowd.under_way(one.url)))
                await asyncio.sleep(self._chance.uniform(0, 0.08))
                await self._kill(bot)
            case "server":
                await self._kill_server()
                await asyncio.sleep(self._chance.uniform(2, 4))
            case _:
                raise AssertionError(fault)

    async def _kill(self, bot: Bot) -> None:
        self._clicks_struck += self._crowd.under_way(bot.url)
        await bot.kill()
        await asyncio.sleep(self._chance.uniform(0, 1))
        await bot.spawn()
        await bot.ready()

    async def _stop(self, bot: Bot) -> None:
        began = time.monotonic()
        try:
            code = await bot.terminate(STOPPED_S)
        except TimeoutError:
            await bot.close()
            self.problems.append(f"a bot that was told to stop had not ended {STOPPED_S:.0f} s later: {bot.logs[-1]}")
            return
        self.stopped_s.append(time.monotonic() - began)
        if code != 0:
            self.problems.append(f"a bot that was told to stop exited with {code}: {bot.logs[-1]}")

    async def _kill_server(self) -> None:
        """SIGKILL, and the same database again a moment later, or after longer than a worker may be silent."""
        is_long = self._chance.random() < OUTLASTING
        away_s = self._chance.uniform(LEASE_S, LEASE_S + 3) if is_long else self._chance.uniform(0, 2)
        at = time.time()
        await asyncio.to_thread(self._server.stop)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self._server.start)
        self._outages.append(Outage(at=at, until=time.time()))

    async def _first(self, fits: Callable[[Bot], bool]) -> Bot:
        """The first bot that can be struck where it hurts."""
        deadline = time.monotonic() + AT_WORK_S
        while time.monotonic() < deadline:
            fitting = [bot for bot in self._bots if bot.is_up and fits(bot)]
            if fitting:
                return self._chance.choice(fitting)
            await asyncio.sleep(_POLL_S)
        raise AssertionError("no bot had anything in hand: too few runs are started")

    def _works(self, bot: Bot) -> bool:
        """A step of this bot is in the middle of an effect."""
        if not self._journal.exists():
            return False
        with self._journal.open("rb") as journal:
            journal.seek(max(0, self._journal.stat().st_size - _NEWEST_LINES))
            lines = [json.loads(line) for line in journal.read().split(b"\n")[1:-1]]
        done = {line["token"] for line in lines if line["word"] == "done"}
        return any((line["word"], line["pid"]) == ("begun", bot.pid) and line["token"] not in done for line in lines)

    def _wait_for_new_runs(self, runner: WorkflowRunner) -> None:
        async def until_over(run_id: str) -> str:
            while True:
                try:
                    return (await runner.wait(run_id, over=True)).status.value
                except (
                    StoreError
                ):  # nobody could say how it stands for half a minute: whoever waits is told, and waits on
                    self._waits_given_up += 1

        for run_id in self._crowd.started:
            if run_id not in self._waiting:
                self._waiting[run_id] = asyncio.create_task(until_over(run_id))

    async def _drain(self, runner: WorkflowRunner) -> float:
        """Approve whatever is asked until nothing is open; returns how many seconds it took."""
        client = await Client.connect(self._server.address)
        self._wait_for_new_runs(runner)
        began = press_at = time.monotonic()
        while time.monotonic() - began < DRAINED_S:
            if time.monotonic() >= press_at:
                await self._crowd.close_all()
                press_at = time.monotonic() + PRESSED_AGAIN_S
            open_runs = await client.count_workflows("WorkflowType = 'SpectraRun' AND ExecutionStatus = 'Running'")
            if not open_runs.count and not self._crowd.open_messages() and not self._still_waiting():
                break
            await asyncio.sleep(0.2)
        for run_id in self._still_waiting():
            self._waiting.pop(run_id).cancel()
        return time.monotonic() - began

    def _still_waiting(self) -> list[str]:
        return [run_id for run_id, waiting in self._waiting.items() if not waiting.done()]

    async def _found(self, waited: Sequence[tuple[str, str]]) -> Found:
        evidence, executions, turns_again = await collect(
            self._options,
            self._journal,
            slack=self._slack,
            clicks=self._crowd.clicks,
            started=self._crowd.started,
            strikes=[strike for strike in self._strikes if strike.signal == signal.SIGKILL],
            logs=[log for bot in self._bots for log in bot.logs],
        )
        return Found(
            evidence=evidence,
            outages=self._outages,
            executions=executions,
            turns_again=turns_again,
            ends_told=[self._slack.thread(CHANNEL, message.ts) for message in evidence.messages],
            waited=waited,
            may_look=self._may_look,
        )
