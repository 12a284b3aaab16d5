"""An agent that is interrupted goes on where it was: no reply is paid for twice, no finished tool runs again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from pydantic_ai import Agent, BinaryImage, RunContext, ToolReturn
from pydantic_ai.models.function import FunctionModel

from spectra_bot import InterruptException, InterruptRequest, InterruptResponse, RunStatus, StepContext
from spectra_bot.agent import AgentLimits, ask_human, run_agent
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]


class World:
    """Tools, and what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def look(self, ctx: Context, what: str) -> str:
        self.done.append(f"look {what}")
        return f"saw {what}"

    async def ship(self, ctx: Context, what: str) -> str:
        """Does something first, and asks then."""
        await ctx.deps.once("build", lambda: self.done.append(f"build {what}"))
        response = await ctx.deps.interrupt(InterruptRequest(reason=f"Ship {what}?"))
        self.done.append(f"ship {what}")
        return f"{what}: {response.option}"

    async def delete(self, ctx: Context, path: str, force: bool = False) -> str:
        self.done.append(f"delete {path}")
        return f"deleted {path}"

    async def asks_by_raising(self, ctx: Context) -> str:
        if ctx.deps.response is None:
            raise InterruptException(InterruptRequest(reason="Raised?"))
        return f"told {ctx.deps.response.option}"


async def test_tool_that_asks_does_not_stop_or_repeat_what_runs_beside_it(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("look", "a", what="x"), call("ship", "b", what="web")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.look, world.ship)))

    asked = await runner.run("agent")
    [request] = asked.pending
    done = await runner.resume(asked.run_id, request.answer("approve"))

    assert done.outputs == {"work": "over"}
    assert script.replies == 2
    assert sorted(world.done) == ["build web", "look x", "ship web"]
    assert script.told == {"a": "saw x", "b": "web: approve"}


async def test_side_effects_before_an_interrupt_are_not_repeated(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("ship", "a", what="web")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.ship)))

    asked = await runner.run("agent")
    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert world.done == ["build web", "ship web"]


async def test_answers_of_parallel_interrupts_reach_the_calls_that_asked(open_runner: OpenRunner) -> None:
    world = World()
    script = Script([call("ship", str(number), what=f"part {number}") for number in range(4)], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.ship)))

    asked = await runner.run("agent")
    result = asked
    options = {"Ship part 0?": "approve", "Ship part 1?": "reject", "Ship part 2?": "reject", "Ship part 3?": "approve"}
    for request in reversed(asked.pending):
        result = await runner.resume(asked.run_id, request.answer(options[request.reason]))

    assert result.outputs == {"work": "over"}
    assert script.told == {
        "0": "part 0: approve", "1": "part 1: reject", "2": "part 2: reject", "3": "part 3: approve"
    }  # fmt: skip


async def test_one_rejection_discards_no_other_call_and_tells_the_model_why(open_runner: OpenRunner) -> None:
    world = World()
    script = Script(
        [call("delete", "a", path="/a"), call("delete", "b", path="/b"), call("look", "c", what="x")], "over"
    )
    runner = await open_runner(workflow_of(agent_of(script, world.delete, world.look, guarded=("delete",))))

    asked = await runner.run("agent")
    first, second = asked.pending
    await runner.resume(asked.run_id, first.answer("reject", responder="U1", notes="still in use"))
    done = await runner.resume(asked.run_id, second.answer("approve", responder="U2"))

    assert done.status is RunStatus.COMPLETED
    assert world.done == ["look x", "delete /b"]
    assert script.told == {"a": "U1 rejected this call: still in use", "b": "deleted /b", "c": "saw x"}


async def test_edited_call_is_checked_judged_again_and_shown_before_and_after(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("delete", "a", path="/srv/x")], "over")
    runner = await open_runner(
        workflow_of(
            agent_of(script, world.delete),
            needs_approval=lambda tool, arguments: tool == "delete" and arguments["path"] != "/srv/safe",
        )
    )

    asked = await runner.run("agent")
    wrong = await runner.resume(asked.run_id, edit(asked.pending[0], '{"path": 7, "tool": "look"}'))
    still = await runner.resume(asked.run_id, edit(wrong.pending[0], '{"path": "/"}'))
    shown = still.pending[0]
    done = await runner.resume(asked.run_id, edit(shown, '{"path": "/srv/safe"}'))

    assert "path: Input should be a valid string" in str(wrong.pending[0].data["could not be used"])
    assert offered(wrong.pending[0]) == '{\n  "path": 7,\n  "tool": "look"\n}'
    assert offered(shown) == '{\n  "path": "/"\n}'
    assert shown.reason == "May the agent call delete with the edited arguments?"
    assert shown.data["arguments"] == {"path": "/"}
    assert shown.data["arguments before"] == {"path": "/srv/x"}
    assert done.status is RunStatus.COMPLETED
    assert world.done == ["delete /srv/safe"]


async def test_edited_call_is_judged_as_its_tool_would_get_it(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("delete", "a", path="/srv/x", force=True)], "over")
    runner = await open_runner(
        workflow_of(agent_of(script, world.delete), needs_approval=lambda _, arguments: arguments["force"] is True)
    )

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, edit(asked.pending[0], '{"path": "/", "force": "yes"}'))
    done = await runner.resume(asked.run_id, edit(again.pending[0], '{"path": "/srv/y"}'))

    assert again.pending[0].data["arguments"] == {"path": "/", "force": "yes"}
    assert done.status is RunStatus.COMPLETED
    assert world.done == ["delete /srv/y"]


async def test_edited_call_that_the_rule_can_not_judge_is_not_used(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("delete", "a", path="/srv/x")], "over")
    runner = await open_runner(
        workflow_of(
            agent_of(script, world.delete),
            needs_approval=lambda _, arguments: {"/srv/x": True, "/tmp": False}[arguments["path"]],  # noqa: S108
        )
    )

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, edit(asked.pending[0], '{"path": "/"}'))
    done = await runner.resume(asked.run_id, again.pending[0].answer("reject"))

    assert again.pending[0].data["could not be used"] == "needs_approval can't judge it: KeyError: '/'"
    assert done.outputs == {"work": "over"}
    assert world.done == []


async def test_edited_call_of_a_tool_that_requires_approval_is_always_shown_again(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("delete", "a", path="/srv/x")], "over")
    runner = await open_runner(
        workflow_of(agent_of(script, world.delete, guarded=("delete",)), needs_approval=lambda tool, _: tool == "ship")
    )

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, edit(asked.pending[0], '{"path": "/"}'))

    assert [request.data["arguments"] for request in again.pending] == [{"path": "/"}]
    assert world.done == []


async def test_interrupt_in_a_nested_agent_is_asked_and_its_agent_goes_on(open_runner: OpenRunner) -> None:
    world = World()
    inner_script = Script([call("look", "a", what="inner"), call("ship", "b", what="inner")], "inner is over")
    inner = agent_of(inner_script, world.look, world.ship)

    async def delegate(ctx: Context) -> str:
        return (await run_agent(inner, "Help.", ctx.deps, name="helper")).output

    script = Script([call("delegate", "a"), call("look", "b", what="outer")], "over")
    runner = await open_runner(workflow_of(agent_of(script, delegate, world.look)))

    asked = await runner.run("agent")
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs == {"work": "over"}
    assert (script.replies, inner_script.replies) == (2, 2)
    assert sorted(world.done) == ["build inner", "look inner", "look outer", "ship inner"]
    assert script.told["a"] == "inner is over"


async def test_nested_agent_with_an_output_beside_a_call_that_asks_is_not_over(open_runner: OpenRunner) -> None:
    world, inner_script = World(), Script([call("ship", "a", what="web"), call("final_result", "b", response=1)])
    inner = Agent(
        FunctionModel(inner_script), deps_type=StepContext, output_type=int, tools=[world.ship], end_strategy="graceful"
    )

    async def delegate(ctx: Context) -> int:
        return (await run_agent(inner, "Help.", ctx.deps, name="helper", stream=False)).output

    script = Script([call("delegate", "a")], [call("look", "b", what="x")], "over")
    runner = await open_runner(workflow_of(agent_of(script, delegate, world.look)))

    asked = await runner.run("agent")
    done_until_then = list(world.done)
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done_until_then == ["build web"]
    assert done.outputs == {"work": "over"}
    assert world.done == ["build web", "ship web", "look x"]


async def test_call_that_was_approved_may_ask(open_runner: OpenRunner) -> None:
    world = World()
    script = Script([call("ship", "a", what="x"), call("ship", "b", what="y"), call("look", "c", what="z")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.ship, world.look, guarded=("ship",))))

    result = await runner.run("agent")
    asked = [*result.pending]
    while result.pending:
        result = await runner.resume(result.run_id, result.pending[0].answer("approve"))
        asked += [request for request in result.pending if request not in asked]

    assert result.outputs == {"work": "over"}
    reasons = [request.reason for request in asked]
    assert [reasons[:2], sorted(reasons[2:])] == [["The agent wants to call ship"] * 2, ["Ship x?", "Ship y?"]]
    assert world.done[0] == "look z"  # those beside each other go on in any order
    assert sorted(world.done[1:]) == ["build x", "build y", "ship x", "ship y"]
    assert script.replies == 2


async def test_approval_that_was_answered_does_not_fire_again(open_runner: OpenRunner) -> None:
    world = World()
    script = Script([call("delete", "a", path="/a")], [call("ship", "a", what="web")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.delete, world.ship, guarded=("delete",))))

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    asks = [checkpoint.event for checkpoint in await runner.history(asked.run_id)].count("InterruptRaised")
    assert done.status is RunStatus.COMPLETED
    assert asks == 2
    assert world.done == ["delete /a", "build web", "ship web"]


def breaking_once() -> Callable[[Context], Awaitable[str]]:
    """A tool that fails the first time."""
    breaks = [True]

    async def fragile(ctx: Context) -> str:
        if breaks:
            breaks.clear()
            raise ConnectionError("gone")
        return "fine"

    return fragile


async def test_decision_stands_when_a_failed_run_is_tried_again(open_runner: OpenRunner) -> None:
    world, fragile = World(), breaking_once()
    script = Script([call("delete", "a", path="/a")], [call("fragile", "b")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.delete, fragile, guarded=("delete",))))

    asked = await runner.run("agent")
    failed = await runner.resume(asked.run_id, asked.pending[0].answer("reject", responder="U1"))
    done = await runner.retry(failed.run_id)

    assert failed.error == "work: ConnectionError: gone"
    assert done.outputs == {"work": "over"}
    assert world.done == []
    assert script.told["a"] == "U1 rejected this call."


@pytest.mark.parametrize("asks_at_first", [True, False])
async def test_finished_call_stays_so_when_another_rule_tells_what_needs_approval(
    open_runner: OpenRunner, asks_at_first: bool
) -> None:
    world, asks = World(), [asks_at_first]
    script = Script([call("delete", "a", path="/a")], [call("ship", "b", what="web")], "over")
    runner = await open_runner(
        workflow_of(
            agent_of(script, world.delete, world.ship), needs_approval=lambda tool, _: tool == "delete" and asks[0]
        )
    )

    asked = await runner.run("agent")
    if asks_at_first:
        asked = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    asks[0] = not asks_at_first
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs == {"work": "over"}
    assert world.done == ["delete /a", "build web", "ship web"]


async def test_rejected_call_stays_so_when_another_rule_would_let_it_pass(open_runner: OpenRunner) -> None:
    world, asks = World(), [True]
    script = Script([call("delete", "a", path="/a")], [call("ship", "b", what="web")], "over")
    runner = await open_runner(
        workflow_of(
            agent_of(script, world.delete, world.ship), needs_approval=lambda tool, _: tool == "delete" and asks[0]
        )
    )

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("reject", responder="U1"))
    asks[0] = False
    done = await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    assert done.outputs == {"work": "over"}
    assert world.done == ["build web", "ship web"]
    assert script.told["a"] == "U1 rejected this call."


async def test_tool_may_raise_its_question(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("asks_by_raising", "a"), call("asks_by_raising", "b")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.asks_by_raising)))

    asked = await runner.run("agent")
    for request, option in zip(asked.pending, ("approve", "reject"), strict=True):
        await runner.resume(asked.run_id, request.answer(option))

    assert script.told == {"a": "told approve", "b": "told reject"}


async def test_agent_asks_by_itself(open_runner: OpenRunner) -> None:
    script = Script(
        [
            call("ask_human", "a", question="Which region?", options=["eu", "us"]),
            call("ask_human", "b", question="Why?"),
        ],
        "over",
    )
    runner = await open_runner(workflow_of(agent_of(script, ask_human)))

    asked = await runner.run("agent")
    region, why = asked.pending
    await runner.resume(asked.run_id, region.answer("option 2", responder="U1"))
    await runner.resume(asked.run_id, why.answer("answer", responder="U2", data={"answer": "it is near"}))

    assert script.told == {"a": "U1 answered: us", "b": "U2 answered: it is near"}


async def test_limit_asks_for_more_and_stops_when_told(open_runner: OpenRunner) -> None:
    world = World()
    script = Script(*([call("look", "a", what=str(number))] for number in range(9)), "over")
    runner = await open_runner(workflow_of(agent_of(script, world.look), limits=AgentLimits(iterations=2)))

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("more"))
    stopped = await runner.resume(asked.run_id, again.pending[0].answer("stop", responder="U1"))

    assert asked.pending[0].reason == "The agent has reached its limit of 2 iterations. May it go on?"
    assert again.pending[0].reason == "The agent has reached its limit of 4 iterations. May it go on?"
    assert stopped.error == "work: the agent was stopped at its limit of 4 iterations by U1"
    assert script.replies == 4
    assert world.done == [f"look {number}" for number in range(4)]


async def test_retry_of_an_agent_that_was_stopped_at_its_limit_asks_again(open_runner: OpenRunner) -> None:
    world, script = World(), Script([call("look", "a", what="x")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.look), limits=AgentLimits(iterations=1)))

    asked = await runner.run("agent")
    stopped = await runner.resume(asked.run_id, asked.pending[0].answer("stop"))
    again = await runner.retry(stopped.run_id)
    done = await runner.resume(asked.run_id, again.pending[0].answer("more"))

    assert done.outputs == {"work": "over"}
    assert script.replies == 2


async def test_limit_may_fail_the_step(open_runner: OpenRunner) -> None:
    world = World()
    script = Script(*([call("look", "a", what=str(number))] for number in range(9)), "over")
    limits = AgentLimits(tool_calls=3, at_limit="fail")
    runner = await open_runner(workflow_of(agent_of(script, world.look), limits=limits))

    failed = await runner.run("agent")

    assert failed.error == "work: the agent has reached its limit of 3 tool calls"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
async def test_cancel_stops_the_call_of_the_model(open_runner: OpenRunner, stream: bool) -> None:
    script = Script("over")
    script.hold = asyncio.Event()
    runner = await open_runner(workflow_of(agent_of(script), stream=stream))

    run_id = await runner.start("agent")
    await asyncio.wait_for(script.called.wait(), 60)
    cancelled = await runner.cancel(run_id, by="U1", reason="enough")

    assert cancelled.status is RunStatus.CANCELLED
    assert script.stopped.is_set()


async def test_cancel_stops_the_call_of_a_nested_agents_model(open_runner: OpenRunner) -> None:
    inner_script = Script("inner is over")
    inner_script.hold = asyncio.Event()
    inner = agent_of(inner_script)

    async def delegate(ctx: Context) -> str:
        return (await run_agent(inner, "Help.", ctx.deps, name="helper")).output

    middle = agent_of(Script([call("delegate", "a")], "over"), delegate)

    async def delegate_to_it(ctx: Context) -> str:
        return (await run_agent(middle, "Help.", ctx.deps, name="middle")).output

    runner = await open_runner(workflow_of(agent_of(Script([call("delegate_to_it", "a")], "over"), delegate_to_it)))

    run_id = await runner.start("agent")
    await asyncio.wait_for(inner_script.called.wait(), 60)
    await runner.cancel(run_id, by="U1", reason="enough")

    await asyncio.wait_for(inner_script.stopped.wait(), 20)


async def test_retry_of_a_failed_run_takes_up_what_was_paid_for(open_runner: OpenRunner) -> None:
    world, fragile = World(), breaking_once()
    script = Script([call("look", "a", what="x")], [call("fragile", "b")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.look, fragile)))

    failed = await runner.run("agent")
    done = await runner.retry(failed.run_id)

    assert failed.error == "work: ConnectionError: gone"
    assert done.outputs == {"work": "over"}
    assert script.replies == 3
    assert world.done == ["look x"]


@pytest.mark.parametrize("result", [object(), {1, object()}, ToolReturn("", metadata=object())])
async def test_tool_whose_result_can_not_be_kept_has_done_its_work(open_runner: OpenRunner, result: object) -> None:
    done: list[str] = []

    async def dig(ctx: Context) -> Any:
        done.append("dig")
        return result

    runner = await open_runner(workflow_of(agent_of(Script([call("dig", "a")], "over"), dig)))

    failed = await runner.run("agent")
    again = await runner.retry(failed.run_id)

    assert failed.error == again.error
    assert "did its effect, and its result can't be stored" in str(failed.error)
    assert done == ["dig"]


async def test_image_that_a_tool_returns_reaches_the_model_as_one(open_runner: OpenRunner) -> None:
    image = BinaryImage(b"\x89PNG\xff", media_type="image/png")

    async def look_at(ctx: Context) -> list[str | BinaryImage]:
        return ["the page", image]

    script = Script([call("look_at", "a")], "over")
    runner = await open_runner(workflow_of(agent_of(script, look_at)))

    await runner.run("agent")

    assert script.told == {"a": ["the page", image]}


class Rented(FunctionModel):
    """A model with connections."""

    opened: ClassVar[list[str]] = []
    closed: ClassVar[list[str]] = []

    async def __aenter__(self) -> Rented:
        self.opened.append(self.model_name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed.append(self.model_name)


async def test_model_may_be_made_for_each_execution_and_is_closed_behind_it(open_runner: OpenRunner) -> None:
    Rented.opened.clear()
    Rented.closed.clear()
    world, unused = World(), Script("never")
    script = Script([call("ship", "a", what="web")], "over")
    workflow = workflow_of(
        agent_of(unused, world.ship),
        model=lambda ctx: Rented(script, stream_function=script.stream, model_name=f"model of {ctx.step}"),
    )
    runner = await open_runner(workflow)

    asked = await runner.run("agent")
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs == {"work": "over"}
    assert (script.replies, unused.replies) == (2, 0)
    assert Rented.opened == Rented.closed == ["model of work"] * 2


def edit(request: InterruptRequest, arguments: str) -> InterruptResponse:
    return request.answer("edit", responder="U1", data={"arguments": arguments})


def offered(request: InterruptRequest) -> str:
    """What stands in the form in which a call is edited."""
    [form] = [option.form for option in request.options if option.id == "edit"]
    assert form is not None
    return str(form.fields[0].default)
