"""A process of its own that takes answers: `python -m tests.integration.queue.answering ROLE DB URL`.

`take` carries runs on until it is stopped; `stuck` stands still where an answer is stored and its entry is not yet off
the stream; `stuck-before` where its entry was read and nothing is stored.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

from handlers.queue import QueueHandler, open_queue, serve_queue
from spectra_bot import WorkflowRunner
from tests.integration.queue.bot import asking

LEASE_S = 2.0


class Stuck:
    """A runner that stands still for good when something is answered."""

    def __init__(self, runner: WorkflowRunner, *, stores: bool) -> None:
        self._runner = runner
        self._stores = stores

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    async def answer(self, *given: Any) -> Any:
        if self._stores:
            await self._runner.answer(*given)
        say("stuck")
        await asyncio.Event().wait()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    role, database, url = sys.argv[1:]
    async with open_queue(url) as queue:
        runner = WorkflowRunner(
            workflows=[asking()],
            database=database,
            handlers=[QueueHandler(queue)],
            lease_s=LEASE_S,
        )
        async with runner:
            seen: Any = runner if role == "take" else Stuck(runner, stores=role == "stuck")
            async with serve_queue(seen, queue, claim_after=timedelta(seconds=1)):
                say("ready")
                await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
