"""What an agent has spent, as people are told of it and as its limits count it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pytest
from pydantic_ai import ModelRetry, RunContext
from pydantic_ai.exceptions import ToolFailed

from spectra_bot import InterruptRequest, RunStatus, StepContext
from spectra_bot.agent import AgentLimits, recording
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner


async def look(ctx: RunContext[StepContext]) -> str:
    return "seen"


async def test_price_of_a_reply_is_what_it_was_when_it_was_paid(
    open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([call("look", "a")], [call("look", "b")], "over")
    runner = await open_runner(workflow_of(agent_of(script, look, guarded=("look",))))
    monkeypatch.setattr(recording, "price_of", lambda reply: Decimal("0.25"))

    asked = await runner.run("agent")
    monkeypatch.setattr(recording, "price_of", lambda reply: Decimal("0.5"))
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    assert [str(one.pending[0].data["so far"]).split(", ")[-1] for one in (asked, again)] == ["$0.25", "$0.75"]
    assert done.status is RunStatus.COMPLETED


async def test_time_is_that_of_the_longest_call_of_each_reply_without_waiting_for_people(
    open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    two = asyncio.Barrier(2)

    async def work(ctx: RunContext[StepContext]) -> str:
        if await two.wait() == 0:
            clock[0] += 60
        await two.wait()
        return "done"

    async def ask(ctx: RunContext[StepContext]) -> str | None:
        return (await ctx.deps.interrupt(InterruptRequest(reason="Go on?"))).option

    works = [call("work", "a"), call("work", "b")]
    script = Script([*works, call("ask", "c")], works, "over")
    runner = await open_runner(workflow_of(agent_of(script, work, ask), limits=AgentLimits(seconds=120)))

    asked = await runner.run("agent")
    clock[0] += 1_000
    at_limit = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert [request.reason for request in (*asked.pending, *at_limit.pending)] == [
        "Go on?",
        "The agent has reached its limit of 120 seconds. May it go on?",
    ]
    assert script.replies == 2


@pytest.mark.parametrize("signal", [ModelRetry, ToolFailed])
async def test_call_that_failed_counts_in_the_limits(open_runner: OpenRunner, signal: type[Exception]) -> None:
    async def fail(ctx: RunContext[StepContext]) -> str:
        raise signal("not now")

    script = Script([call("fail", "a")], "over")
    runner = await open_runner(workflow_of(agent_of(script, fail), limits=AgentLimits(tool_calls=1)))

    asked = await runner.run("agent")
    done = await runner.resume(asked.run_id, asked.pending[0].answer("more"))

    assert asked.pending[0].reason == "The agent has reached its limit of 1 tool call. May it go on?"
    assert done.outputs == {"work": "over"}
