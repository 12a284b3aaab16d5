"""What the killed processes work on: effects that leave lines in a journal, and questions of every kind.

A bot loads this file; `CHAOS_JOURNAL` names the journal, which outlives each of them. On Temporal runs of
`CHAOS_EVENTS` events go on in a new history.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import time
from datetime import timedelta

from spectra_bot import HumanGateStep, InterruptRequest, StepContext, StepResult, Workflow

if events := os.environ.get("CHAOS_EVENTS"):
    from spectra_bot.temporal import beginning, limits

    vars(beginning)["RENEWAL"] = limits.Renewal(events=int(events))

LONGEST_EFFECT_S = 0.15
RIGHT_ONE_TIMEOUT_S = 2

release = Workflow("release", description="Ship a release while its processes die")


@release.step
async def plan(ctx: StepContext) -> str:
    return await effect(ctx, "reserve")


release.add(
    "gate",
    HumanGateStep("Release it?", options=("approve", "reject", "again"), routes={"again": "plan"}),
    after="plan",
)


@release.step(after="gate")
async def left(ctx: StepContext) -> StepResult | str:
    """Effects before its question, which its re-run must not repeat, and one behind it."""
    for number in range(3):
        await effect(ctx, f"left-{number}")
    response = await ctx.interrupt(InterruptRequest(reason="Is the left side fine?", options=("approve", "reject")))
    if not response.approved:
        return StepResult.failed(f"{response.option} by {response.responder}")
    return await effect(ctx, "left-end")


@release.step(after="gate")
async def right(ctx: StepContext) -> list[str | None]:
    """Two questions at the same time, one of them against the clock."""
    one, other = await asyncio.gather(
        ctx.interrupt(
            InterruptRequest(
                reason="Is the right side fine?",
                options=("approve", "skip"),
                timeout=timedelta(seconds=RIGHT_ONE_TIMEOUT_S),
                default_option="skip",
            ),
            key="one",
        ),
        ctx.interrupt(InterruptRequest(reason="And the far right?", options=("approve", "skip")), key="other"),
    )
    await effect(ctx, "right-end")
    return [one.option, other.option]


@release.step(after=("left", "right"))
async def finish(ctx: StepContext) -> str:
    """An effect outside `once`, which runs again with its step, and one in it."""
    write(ctx, "tell", f"{os.getpid()}-{secrets.token_hex(4)}", "told")
    return await effect(ctx, "announce")


async def effect(ctx: StepContext, key: str) -> str:
    """Do something to the world once: the journal has a line before it, one after it, and one when it is kept."""
    token = f"{os.getpid()}-{secrets.token_hex(4)}"

    async def do() -> str:
        write(ctx, key, token, "begun")
        await asyncio.sleep(random.uniform(0, LONGEST_EFFECT_S))  # noqa: S311  no secret
        write(ctx, key, token, "done")
        return token

    kept: str = await ctx.once(key, do)
    write(ctx, key, kept, "kept")
    return kept


def write(ctx: StepContext, key: str, token: str, word: str) -> None:
    """Add a line; it is on disk when this returns."""
    place = [ctx.run_id, ctx.step, ctx.visit, key]
    line = json.dumps({"at": time.time(), "pid": os.getpid(), "place": place, "token": token, "word": word})
    journal = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, f"{line}\n".encode())
        os.fsync(journal)
    finally:
        os.close(journal)
