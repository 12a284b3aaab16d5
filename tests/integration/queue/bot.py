"""A bot that asks through a queue: a real runner on SQLite, and a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handlers.queue import QueueHandler, open_queue, serve_queue
from spectra_bot import InterruptOption, InterruptRequest, StepContext, Workflow, WorkflowRunner
from tests.redis_server import RedisServer


class Size(BaseModel):
    """What a form asks for."""

    replicas: int


SIZED = InterruptOption("size", form=Size)


def asking(**request: Any) -> Workflow:
    """One question, and its answer as the output."""
    workflow = Workflow("asking")

    @workflow.step
    async def ask(ctx: StepContext) -> dict[str, Any]:
        given = {"reason": "Ship it?", "options": ("approve", "reject", SIZED), **request}
        response = await ctx.interrupt(InterruptRequest(**given))
        return {"option": response.option, "data": response.data, "by": response.responder, "notes": response.notes}

    return workflow


@asynccontextmanager
async def a_bot(
    redis: RedisServer,
    database: Path,
    *workflows: Workflow,
    trusts_names: bool = False,
    claim_after: timedelta = timedelta(seconds=30),
    listens: bool = True,
) -> AsyncIterator[WorkflowRunner]:
    """A runner that asks through the queue and, if it listens, takes answers from it."""
    async with (
        open_queue(redis.url) as queue,
        WorkflowRunner(
            workflows=workflows or [asking()], database=str(database), handlers=[QueueHandler(queue)]
        ) as runner,
    ):
        if not listens:
            yield runner
            return
        async with serve_queue(runner, queue, trusts_names=trusts_names, claim_after=claim_after):
            yield runner
