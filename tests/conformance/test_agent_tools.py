"""What an agent is told, and what comes of it, as pydantic-ai has it: prompts, its tools' results and its output."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelRetry, RunContext, Tool, ToolReturn
from pydantic_ai.messages import ModelRequest, UserPromptPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel

from spectra_bot import InterruptRequest, StepContext, Workflow
from spectra_bot.agent import AgentStep, ask_human, run_agent
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]
PAPER = BinaryContent(b"%PDF\xff\x00", media_type="application/pdf")


async def papers(ctx: Context) -> dict[str, object]:
    return {"of": "a contract", "all": [PAPER]}


async def returned_paper(ctx: Context) -> ToolReturn:
    return ToolReturn(return_value=PAPER)


async def raw(ctx: Context) -> bytes:
    return b"\xff\x00"


@pytest.mark.parametrize(
    ("tool", "content"),
    [(papers, {"of": "a contract", "all": [PAPER]}), (returned_paper, PAPER), (raw, "_wA=")],
)
async def test_file_that_a_tool_returns_is_one_for_the_model(
    open_runner: OpenRunner, tool: Callable[..., Any], content: object
) -> None:
    script = Script([call(tool.__name__, "a"), call("ask", "b")], "over")

    async def ask(ctx: Context) -> str | None:
        return (await ctx.deps.interrupt(InterruptRequest(reason="Go on?"))).option

    runner = await open_runner(workflow_of(agent_of(script, tool, ask)))

    asked = await runner.run("agent")
    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert script.told["a"] == content


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


@pytest.mark.parametrize("retries", [False, True])
async def test_tool_that_goes_on_without_its_answers_is_not_finished(open_runner: OpenRunner, retries: bool) -> None:
    async def ask(ctx: Context) -> list[str]:
        asking = [ctx.deps.interrupt(InterruptRequest(reason=reason)) for reason in ("One?", "Two?")]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        if retries and any(isinstance(answer, BaseException) for answer in answers):
            raise ModelRetry("ask me again")
        return [str(getattr(answer, "option", "nobody answered")) for answer in answers]

    script = Script([call("ask", "a")], "over")
    runner = await open_runner(workflow_of(agent_of(script, ask)))

    asked = await runner.run("agent")
    for request, option in zip(asked.pending, ("approve", "reject"), strict=True):
        await runner.resume(asked.run_id, request.answer(option))

    assert script.told == {"a": ["approve", "reject"]}
    assert script.replies == 2


async def test_calls_of_one_reply_with_the_same_id_are_told_apart(open_runner: OpenRunner) -> None:
    async def ship(ctx: Context, what: str) -> str:
        return f"{what}: {(await ctx.deps.interrupt(InterruptRequest(reason=f'Ship {what}?'))).option}"

    script = Script([call("ship", "a", what="x"), call("ship", "a_2", what="y"), call("ship", "a", what="z")], "over")
    runner = await open_runner(workflow_of(agent_of(script, ship)))

    asked = await runner.run("agent")
    for request, option in zip(asked.pending, ("approve", "approve", "reject"), strict=True):
        done = await runner.resume(asked.run_id, request.answer(option))

    assert [request.reason for request in asked.pending] == ["Ship x?", "Ship y?", "Ship z?"]
    assert done.outputs == {"work": "over"}
    assert script.told == {"a": "x: approve", "a_2": "y: approve", "a_3": "z: reject"}
    assert script.replies == 2


async def test_two_agents_of_one_name_in_a_step_are_told_to_have_names(open_runner: OpenRunner) -> None:
    workflow = Workflow("agent")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        for _ in range(2):
            await run_agent(agent_of(Script("over")), "Do it.", ctx)

    runner = await open_runner(workflow)

    failed = await runner.run("agent")

    assert "two agents named 'agent'; give each run_agent a name= of its own" in str(failed.error)


class Verdict(BaseModel):
    host: str
    is_tidy: bool


async def test_agent_is_told_of_inputs_and_earlier_outputs_and_its_output_is_typed(open_runner: OpenRunner) -> None:
    wrong, right = call("final_result", "a", host="web"), call("final_result", "b", host="web", is_tidy=True)
    script = Script([wrong], [right])
    agent = Agent(FunctionModel(script, stream_function=script.stream), deps_type=StepContext, output_type=Verdict)
    workflow = Workflow("agent")

    @workflow.step
    async def find(ctx: StepContext) -> dict[str, str]:
        return {"disk": f"/srv of {ctx.inputs['host']}"}

    workflow.add(
        "work",
        AgentStep(
            agent,
            lambda ctx: f"Tidy {ctx.outputs['find']['disk']}.",
            instructions=lambda ctx: f"You are on {ctx.inputs['host']}.",
        ),
    )
    runner = await open_runner(workflow)

    done = await runner.run("agent", {"host": "web"})

    first = script.seen[0][0]
    assert isinstance(first, ModelRequest)
    assert [part.content for part in first.parts if isinstance(part, UserPromptPart)] == ["Tidy /srv of web."]
    assert first.instructions == "You are on web."
    assert done.outputs["work"] == {"host": "web", "is_tidy": True}
    assert script.replies == 2


@dataclasses.dataclass
class Own:
    """What tools need more than the step's context."""

    step: StepContext
    disk: str


async def test_agent_asks_by_itself_whatever_its_tools_have_for_dependencies(open_runner: OpenRunner) -> None:
    async def pick(ctx: RunContext[Own]) -> str:
        return f"{ctx.deps.disk}: {(await ctx.deps.step.interrupt(InterruptRequest(reason='Pick?'))).option}"

    script = Script([call("pick", "a"), call("ask_human", "b", question="Which?", options=["/", "/srv"])], "over")
    agent = Agent(
        FunctionModel(script, stream_function=script.stream),
        deps_type=Own,
        tools=[Tool(pick, takes_ctx=True), ask_human],
    )
    runner = await open_runner(workflow_of(agent, deps=lambda step: Own(step, "/dev/sda")))

    asked = await runner.run("agent")
    for request in asked.pending:
        await runner.resume(asked.run_id, request.answer("approve" if request.reason == "Pick?" else "option 2"))

    assert script.told == {"a": "/dev/sda: approve", "b": "Somebody answered: /srv"}


async def test_model_that_tries_all_tools_runs_and_asks_as_any_other(open_runner: OpenRunner) -> None:
    done: list[str] = []

    async def look(ctx: Context, host: str) -> str:
        done.append(f"look {host}")
        return (await ctx.deps.interrupt(InterruptRequest(reason="Look on?"))).option or ""

    async def delete(ctx: Context, host: str, force: bool) -> str:
        done.append(f"delete {host} {force}")
        return "deleted"

    agent = Agent(
        TestModel(seed=1),
        deps_type=StepContext,
        tools=[Tool(look, takes_ctx=True), Tool(delete, takes_ctx=True, requires_approval=True)],
        output_type=Verdict,
    )
    runner = await open_runner(workflow_of(agent))

    result = asked = await runner.run("agent")
    for request in asked.pending:
        result = await runner.resume(asked.run_id, request.answer("approve"))

    assert sorted(request.reason for request in asked.pending) == ["Look on?", "The agent wants to call delete"]
    assert sorted(done) == ["delete b True", "look b", "look b"]
    assert result.outputs["work"] == {"host": "b", "is_tidy": True}
