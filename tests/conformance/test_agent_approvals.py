"""A call that needs approval, whatever else its tool does, and whatever becomes of its arguments by an edit."""

from __future__ import annotations

import pytest
from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.models.function import FunctionModel

from spectra_bot import InterruptException, InterruptRequest, RunStatus, StepContext, Workflow
from spectra_bot.agent import AgentStep, ask_human
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]
WHERE = InterruptRequest(reason="Where to?", options=("staging", "prod"))


class World:
    """Tools, and what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def ship_by_raising(self, ctx: Context) -> str:
        if ctx.deps.response is None:
            raise InterruptException(WHERE)
        self.done.append(f"ship to {ctx.deps.response.option}")
        return f"shipped to {ctx.deps.response.option}"

    async def login(self, ctx: Context, user: str, password: str, hosts: list[str]) -> str:
        self.done.append(f"login {user} {password} {hosts}")
        return "in"

    async def delete(self, ctx: Context, path: str, force: bool = False) -> str:
        self.done.append(f"delete {path}{' by force' if force else ''}")
        return "deleted"


async def test_approval_of_a_call_is_no_answer_to_what_its_tool_asks(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("ship_by_raising", "a")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.ship_by_raising, guarded=("ship_by_raising",))))

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("prod"))

    assert [request.reason for request in again.pending] == ["Where to?"]
    assert done.status is RunStatus.COMPLETED
    assert world.done == ["ship to prod"]


async def test_approval_of_a_call_is_none_of_a_later_one_with_the_same_id(open_runner: OpenRunner) -> None:
    world = World()
    script = Script([call("delete", "a", path="/srv/x")], [call("delete", "a", path="/srv/x")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.delete, guarded=("delete",))))

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("reject"))

    assert done.status is RunStatus.COMPLETED
    assert world.done == ["delete /srv/x"]


async def test_secret_is_masked_in_what_is_edited_and_kept_where_it_is_left(open_runner: OpenRunner) -> None:
    hosts = ["a.example", "b:sesame@c.example", "https://u:hunter3@d.example"]
    script = Script([call("login", "a", user="ada", password="hunter2", hosts=hosts)], "over")
    world = World()
    runner = await open_runner(workflow_of(agent_of(script, world.login, guarded=("login",))))

    asked = await runner.run("agent")
    [form] = [option.form for option in asked.pending[0].options if option.id == "edit" and option.form]
    shown = str(form.fields[0].default)
    edited = asked.pending[0].answer("edit", responder="U1", data={"arguments": shown.replace("ada", "eve")})
    again = await runner.resume(asked.run_id, edited)
    await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    assert "hunter" not in shown
    assert world.done == [f"login eve hunter2 {hosts}"]


@pytest.mark.parametrize("by_rule", [True, False])
async def test_call_that_needs_approval_is_not_made_beside_an_output(open_runner: OpenRunner, by_rule: bool) -> None:
    world, script = World(), Script([call("delete", "a", path="/srv/x"), call("final_result", "b", response=1)])
    agent = Agent(
        FunctionModel(script, stream_function=script.stream),
        deps_type=StepContext,
        output_type=int,
        tools=[Tool(world.delete, takes_ctx=True, requires_approval=not by_rule)],
    )
    runner = await open_runner(workflow_of(agent, needs_approval=lambda *_: by_rule))

    done = await runner.run("agent")

    assert done.outputs == {"work": 1}
    assert world.done == []


async def test_approvers_of_the_step_decide_about_calls_and_those_of_the_workflow_about_the_rest(
    open_runner: OpenRunner,
) -> None:
    script = Script([call("delete", "a", path="/srv/x"), call("ask_human", "b", question="Which disk?")], "over")
    workflow = Workflow("agent", approvers=["U1"])
    agent = agent_of(script, World().delete, ask_human, guarded=("delete",))
    workflow.add("work", AgentStep(agent, "Do it.", approvers=["U2"]))
    runner = await open_runner(workflow)

    asked = await runner.run("agent")

    assert {request.reason: request.approvers for request in asked.pending} == {
        "The agent wants to call delete": ("U2",),
        "Which disk?": ("U1",),
    }
