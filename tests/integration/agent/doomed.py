"""A process with an agent of six iterations, killed at one of its boundaries."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo

from spectra_bot import RunStatus, StepContext, Workflow
from spectra_bot.agent import keeper, tools
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.engines import Place, a_runner

TURNS = (
    [call("work", "a", what="1a"), call("work", "b", what="1b"), call("work", "c", what="1c")],
    [call("work", "a", what="2a")],
    [call("work", "a", what="3a"), call("work", "b", what="3b")],
    [call("work", "a", what="4a")],
    [call("work", "a", what="5a"), call("work", "b", what="5b")],
    "over",
)
EFFECTS = [f"reply {number}" for number in range(6)] + [
    f"work {one.args_as_dict()['what']}" for turn in TURNS if not isinstance(turn, str) for one in turn
]


class Doom:
    """Counts boundaries, and kills the process at one of them."""

    def __init__(self, kill_at: int, journal: Path) -> None:
        self._left = kill_at
        self._journal = journal

    def boundary(self, where: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._write(f"killed {where}")
            os.kill(os.getpid(), signal.SIGKILL)

    def effect(self, name: str) -> None:
        """Do something to the world, between two boundaries."""
        self.boundary(f"before {name}")
        self._write(name)
        self.boundary(f"after {name}")

    def _write(self, line: str) -> None:
        with self._journal.open("a") as journal:
            journal.write(f"{line}\n")

    def ends_after_storing(self, recorded: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """A boundary more, where the outcome is on disk and the agent does not know yet."""

        async def wrapped(ctx: StepContext, key: str, work: Callable[[], Awaitable[Any]], **told: Any) -> Any:
            outcome = await recorded(ctx, key, work, **told)
            name = key if key.startswith("reply") else f"work {outcome}"
            self._write(f"stored {name}")
            self.boundary(f"stored {name}")
            return outcome

        return wrapped


class Model(Script):
    """A model whose replies are effects."""

    def __init__(self, doom: Doom) -> None:
        super().__init__(*TURNS)
        self._doom = doom

    async def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self._doom.effect(f"reply {sum(isinstance(message, ModelResponse) for message in messages)}")
        return await super().__call__(messages, info)


def live(place: Place, journal: Path, kill_at: int) -> None:
    """Run the agent, from where it was, until it is over or the process is killed."""
    doom = Doom(kill_at, journal)
    for module, name in ((keeper, "recorded_reply"), (tools, "recorded_tool")):
        setattr(module, name, doom.ends_after_storing(getattr(module, name)))

    async def work(ctx: RunContext[StepContext], what: str) -> str:
        await asyncio.sleep(0)
        doom.effect(f"work {what}")
        await asyncio.sleep(0)
        return what

    asyncio.run(_to_the_end(place, journal.stem, workflow_of(agent_of(Model(doom), work))))


async def _to_the_end(place: Place, run_id: str, workflow: Workflow) -> None:
    async with a_runner(place, [workflow]) as runner:
        result = await runner.run("agent", run_id=run_id)
        assert result.status is RunStatus.COMPLETED, result.error
        assert result.outputs == {"work": "over"}
