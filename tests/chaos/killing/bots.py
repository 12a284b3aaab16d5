"""The processes that are killed: `spectra-bot serve`, several on one file."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spectra_bot.testing import FakeSlack
from tests.acceptance.cli.program import PROGRAM

READY_S = 60.0
STOPPED_S = 30.0
_POLL_S = 0.02
_SETTINGS = ("SLACK_", "SPECTRA_", "TEMPORAL_")
_WORKLOAD = Path(__file__).with_name("workload.py")


@dataclass(slots=True, kw_only=True)
class Strike:
    """What was done to a process: SIGKILL, SIGTERM, or SIGSTOP from `at` until SIGCONT at `until`."""

    signal: signal.Signals
    pid: int
    at: float
    until: float

    @property
    def lasted_s(self) -> float:
        """How long it stood still."""
        return self.until - self.at


class Bot:
    """One place for a process, which is filled again and again.

    Args:
        strikes: what is done to it is written here.
        engine: what its environment says of the engine, where that is not the file.
    """

    def __init__(
        self,
        name: str,
        *,
        slack: FakeSlack,
        mode: str,
        folder: Path,
        strikes: list[Strike],
        engine: Mapping[str, str] | None = None,
    ) -> None:
        self.url = ""
        """Where it listens, while it does."""
        self.logs: list[Path] = []
        self._name = name
        self._slack = slack
        self._mode = mode
        self._folder = folder
        self._strikes = strikes
        self._engine = engine or {}
        self._process: asyncio.subprocess.Process | None = None
        self._held: Strike | None = None

    @property
    def database(self) -> Path:
        """The file that all of them share."""
        return self._folder / "spectra.db"

    @property
    def pid(self) -> int:
        """The process that is, or was last, in this place."""
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """It listens, as far as anybody knows."""
        return bool(self.url)

    @property
    def is_held(self) -> bool:
        """It stands still."""
        return self._held is not None

    async def spawn(self) -> None:
        """Start a process, and do not wait for it."""
        log = self._folder / f"{self._name}-{len(self.logs)}.log"
        self.logs.append(log)
        transport = (
            {"SLACK_APP_TOKEN": self._slack.app_token}
            if self._mode == "socket"
            else {"SLACK_SIGNING_SECRET": self._slack.signing_secret}
        )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
            **transport,
            **self._engine,
            "SLACK_BOT_TOKEN": self._slack.bot_token,
            "SPECTRA_SLACK_API_URL": self._slack.base_url,
            "SPECTRA_PORT": "0",
            "CHAOS_JOURNAL": str(self._folder / "journal"),
        }
        with log.open("w") as said:
            self._process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *("serve", "--db", str(self.database), "--workflows", str(_WORKLOAD)),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    async def ready(self) -> None:
        """Wait until it listens."""
        assert self._process is not None, "it was started"
        async with asyncio.timeout(READY_S):
            while not (found := re.search(r"Listening: (.*)", self.logs[-1].read_text())):
                assert self._process.returncode is None, f"it ended by itself: {self.logs[-1].read_text()}"
                await asyncio.sleep(_POLL_S)
        self.url = found[1].strip()

    async def kill(self) -> None:
        """End it where it stands."""
        self._strike(signal.SIGKILL)
        self._let_go()
        await self._ended()

    async def terminate(self, within_s: float = STOPPED_S) -> int:
        """Ask it to stop, and return its exit code."""
        self._strike(signal.SIGTERM)
        return await asyncio.wait_for(self._ended(), within_s)

    async def hold(self, seconds: float) -> None:
        """Let it stand still for so long, unless it is killed meanwhile."""
        held = self._held = self._strike(signal.SIGSTOP)
        held.until = float("inf")
        await asyncio.sleep(seconds)
        if self._held is held:
            self._let_go()

    async def close(self) -> None:
        """Leave no process behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def _let_go(self) -> None:
        if self._held is not None and self._process is not None:
            self._held.until = time.time()
            self._held = None
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGCONT)

    def _strike(self, number: signal.Signals) -> Strike:
        assert self._process is not None, "it was started"
        strike = Strike(signal=number, pid=self._process.pid, at=time.time(), until=time.time())
        self._strikes.append(strike)
        self._process.send_signal(number)
        return strike

    async def _ended(self) -> int:
        self.url = ""
        assert self._process is not None, "it was started"
        return await self._process.wait()
