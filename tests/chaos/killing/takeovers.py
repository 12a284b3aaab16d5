"""How long the runs of a process that was struck wait for another one."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.killing.bots import Bot

_POLL_S = 0.05
_RUNNING_OF = """
    select r.run_id, r.owner from runs r join owners o on o.owner_id = r.owner
     where o.pid = ? and r.is_open = 1 and r.status = 'running'
"""
_OWNER = "select owner, is_open from runs where run_id = ?"


class Takeovers:
    """Watches the database from outside; counts the seconds in which another process was up to take runs over."""

    def __init__(self, database: Path, bots: Sequence[Bot]) -> None:
        self.took_s: dict[str, list[float]] = {"killed": [], "held": []}
        self._database = database
        self._bots = bots
        self._watching: set[asyncio.Task[None]] = set()

    def watch(self, bot: Bot, how: str) -> None:
        """Time what becomes of the runs that work in a bot now; call it just before it is struck.

        Args:
            how: `killed` or `held`.
        """
        rows = self._ask(_RUNNING_OF, bot.pid)
        if rows:
            task = asyncio.create_task(self._watch(dict(rows), bot.pid, how))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)

    async def stop(self) -> None:
        """Watch no longer."""
        watching = list(self._watching)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    async def _watch(self, waiting: dict[str, str], pid: int, how: str) -> None:
        others = [bot for bot in self._bots if bot.pid != pid]
        if not any(bot.is_up and not bot.is_held for bot in others):
            return  # nobody is there to take them over: the next process adopts them at its start
        waited_s, before = 0.0, time.monotonic()
        while waiting:
            await asyncio.sleep(_POLL_S)
            now = time.monotonic()
            if any(bot.is_up and not bot.is_held for bot in others):
                waited_s += now - before
            before = now
            for run_id, owner in list(waiting.items()):
                [(newest, is_open)] = self._ask(_OWNER, run_id)
                if newest == owner and is_open:
                    continue
                del waiting[run_id]
                if newest != owner:
                    self.took_s[how].append(waited_s)

    def _ask(self, query: str, value: object) -> list[tuple[str, str]]:
        connection = sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(query, (value,)).fetchall()
        finally:
            connection.close()
