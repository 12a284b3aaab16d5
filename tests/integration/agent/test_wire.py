"""An agent on a real wire: streamed replies, a rate limit, and a connection that is gone in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from openai import AsyncOpenAI
from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from spectra_bot import InterruptRequest, RunStatus, StepContext, WorkflowRunner
from tests.conformance.agents import workflow_of
from tests.openai_server import BreaksOff, Refuses, Says, ScriptedOpenAI, an_openai

LOOKS: list[str] = []


async def look(ctx: RunContext[StepContext], what: str) -> str:
    LOOKS.append(what)
    return f"saw {what}"


async def ship(ctx: RunContext[StepContext]) -> str | None:
    return (await ctx.deps.interrupt(InterruptRequest(reason="Ship it?"))).option


@contextlib.asynccontextmanager
async def runner(server: ScriptedOpenAI) -> AsyncIterator[WorkflowRunner]:
    LOOKS.clear()
    async with AsyncOpenAI(base_url=server.base_url, api_key="not-a-key") as client:
        agent: Agent[StepContext, str] = Agent(
            OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client)),
            deps_type=StepContext,
            name="agent",
            tools=[Tool(look, takes_ctx=True), Tool(ship, takes_ctx=True)],
        )
        async with WorkflowRunner(workflows=[workflow_of(agent)], database=":memory:") as bot:
            yield bot


async def test_streamed_calls_that_ask_are_paid_for_once() -> None:
    turns = (
        Says(text="Let me see.", calls=[("c1", "look", {"what": "x"}), ("c2", "ship", {})]),
        Says(text="Shipped."),
    )
    async with an_openai(*turns) as server, runner(server) as bot:
        asked = await bot.run("agent")
        done = await bot.resume(asked.run_id, asked.pending[0].answer("approve"))

    told = [message for message in server.asked[-1]["messages"] if message["role"] == "tool"]
    assert done.outputs == {"work": "Shipped."}
    assert len(server.asked) == 2
    assert LOOKS == ["x"]
    assert [(one["tool_call_id"], one["content"]) for one in told] == [("c1", "saw x"), ("c2", "approve")]


async def test_rate_limit_is_waited_for_by_the_client_of_the_provider() -> None:
    async with an_openai(Refuses(status=429), Says(text="Fine.")) as server, runner(server) as bot:
        done = await bot.run("agent")

    assert done.outputs == {"work": "Fine."}
    assert len(server.asked) == 2


async def test_rate_limit_that_does_not_end_fails_the_step_clearly() -> None:
    async with an_openai(*[Refuses(status=429)] * 3, Says(text="Fine.")) as server, runner(server) as bot:
        failed = await bot.run("agent")
        done = await bot.retry(failed.run_id)

    assert failed.status is RunStatus.FAILED
    assert failed.error is not None
    assert "429" in failed.error
    assert "slow down" in failed.error
    assert done.outputs == {"work": "Fine."}


async def test_reply_that_breaks_off_is_not_taken_and_nothing_before_it_is_paid_for_again() -> None:
    turns = (
        Says(calls=[("c1", "look", {"what": "x"})]),
        BreaksOff(text="I was about to"),
        Says(text="Over."),
    )
    async with an_openai(*turns) as server, runner(server) as bot:
        failed = await bot.run("agent")
        done = await bot.retry(failed.run_id)

    assert failed.status is RunStatus.FAILED
    assert failed.error == "work: ModelConnectionError: the model gpt-4o: Connection error."
    assert done.outputs == {"work": "Over."}
    assert len(server.asked) == 3
    assert LOOKS == ["x"]
