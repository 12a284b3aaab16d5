"""What an agent's tools return reaches the model, and only when they have finished."""

from __future__ import annotations

import asyncio

from pydantic_ai import RunContext

from spectra_bot import InterruptRequest, StepContext
from spectra_bot.agent import ask_human
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]


async def test_agent_has_a_form_filled_in(open_runner: OpenRunner) -> None:
    form = [{"name": "disk", "label": "Which disk?"}, {"name": "room", "kind": "integer"}]
    twice = [{"name": "disk"}, {"name": "disk"}]
    script = Script(
        [call("ask_human", "a", question="Where?", form=twice)],
        [
            call("ask_human", "b", question="Where?", form=form),
            call(
                "ask_human", "c", question="When?", options=["now", "later"], form=[{"name": "sure", "kind": "boolean"}]
            ),
        ],
        "over",
    )
    runner = await open_runner(workflow_of(agent_of(script, ask_human)))

    asked = await runner.run("agent")
    where, when = asked.pending
    await runner.resume(asked.run_id, where.answer("answer", responder="U1", data={"disk": "/srv", "room": 5}))
    await runner.resume(asked.run_id, when.answer("option 2", responder="U2", data={"sure": True}))

    assert script.told == {
        "a": "Give each field of the form a name of its own.",
        "b": 'U1 answered: {"disk":"/srv","room":5}',
        "c": 'U2 answered: later, {"sure":true}',
    }


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
