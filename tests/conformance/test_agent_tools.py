"""What an agent's tools return reaches the model, and only when they have finished."""

from __future__ import annotations

import asyncio

from pydantic_ai import RunContext

from spectra_bot import InterruptRequest, StepContext
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]


async def test_tool_that_goes_on_without_its_answers_is_not_finished(open_runner: OpenRunner) -> None:
    async def ask(ctx: Context) -> list[str]:
        asking = [ctx.deps.interrupt(InterruptRequest(reason=reason)) for reason in ("One?", "Two?")]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        return [str(getattr(answer, "option", "nobody answered")) for answer in answers]

    script = Script([call("ask", "a")], "over")
    runner = await open_runner(workflow_of(agent_of(script, ask)))

    asked = await runner.run("agent")
    for request, option in zip(asked.pending, ("approve", "reject"), strict=True):
        await runner.resume(asked.run_id, request.answer(option))

    assert script.told == {"a": ["approve", "reject"]}
    assert script.replies == 2
