"""A workflow inside another: its steps flattened under a name, in terms of their own."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from spectra_bot import HumanGateStep, InterruptRequest, RunResult, RunStatus, StepContext, Workflow, WorkflowRunner
from tests.conformance.conftest import OpenRunner


class RegionInputs(BaseModel):
    region: str
    replicas: int = 2


class ReleaseInputs(BaseModel):
    version: str
    region: str = "eu"


def roll_out() -> Workflow:
    """Plans, asks, applies."""
    workflow = Workflow("roll-out", inputs=RegionInputs)

    @workflow.step
    async def plan(ctx: StepContext) -> str:
        return f"{ctx.inputs.replicas} in {ctx.inputs.region}"

    workflow.add("approve", HumanGateStep(lambda ctx: f"Roll out {ctx.outputs['plan']}?"))

    @workflow.step
    async def apply(ctx: StepContext) -> list[str]:
        return [ctx.step, ctx.outputs["plan"], *sorted(ctx.outputs)]

    return workflow


async def approve_all(runner: WorkflowRunner, result: RunResult) -> RunResult:
    while result.status is RunStatus.INTERRUPTED:
        request = result.pending[0]
        result = await runner.resume(result.run_id, request.answer("approve"))
    return result


async def test_steps_of_a_sub_workflow_run_in_its_own_terms(open_runner: OpenRunner) -> None:
    release = Workflow("release", inputs=ReleaseInputs)

    @release.step
    async def build(ctx: StepContext) -> str:
        return str(ctx.inputs.version)

    release.add("roll-out", roll_out(), inputs=lambda ctx: {"region": ctx.inputs.region, "replicas": 3})

    @release.step
    async def report(ctx: StepContext) -> dict[str, object]:
        return {"parts": ctx.outputs["roll-out"]["plan"], "step": ctx.outputs["roll-out/plan"]}

    runner = await open_runner(release)
    asked = await runner.run("release", {"version": "1.2"})
    done = await approve_all(runner, asked)

    assert [(request.step, request.reason) for request in asked.pending] == [("roll-out/approve", "Roll out 3 in eu?")]
    assert list(done.outputs) == ["build", "roll-out/plan", "roll-out/approve", "roll-out/apply", "report"]
    assert done.outputs["roll-out/apply"] == ["roll-out/apply", "3 in eu", "approve", "plan"]
    assert done.outputs["report"] == {"parts": "3 in eu", "step": "3 in eu"}


async def test_sub_workflow_takes_the_inputs_around_it_unless_it_is_given_its_own(open_runner: OpenRunner) -> None:
    release = Workflow("release", inputs=ReleaseInputs)
    release.add("roll-out", roll_out())

    runner = await open_runner(release)
    asked = await runner.run("release", {"version": "1.2", "region": "us"})

    assert asked.pending[0].reason == "Roll out 2 in us?"


async def test_one_workflow_may_be_a_part_twice_and_ask_in_both_at_the_same_time(open_runner: OpenRunner) -> None:
    release = Workflow("release")
    release.add("eu", roll_out(), after=(), inputs=lambda ctx: {"region": "eu"})
    release.add("us", roll_out(), after=(), inputs=lambda ctx: {"region": "us"})

    @release.step(after=("eu", "us"))
    async def report(ctx: StepContext) -> list[str]:
        return [ctx.outputs[f"{region}/apply"][1] for region in ("eu", "us")]

    runner = await open_runner(release)
    asked = await runner.run("release")
    by_step = {request.step: request for request in asked.pending}
    await runner.answer(by_step["us/approve"].id, by_step["us/approve"].answer("approve"))
    done = await runner.resume(asked.run_id, by_step["eu/approve"].answer("approve"))

    assert set(by_step) == {"eu/approve", "us/approve"}
    assert done.outputs["report"] == ["2 in eu", "2 in us"]


async def test_false_when_skips_all_of_a_sub_workflow(open_runner: OpenRunner) -> None:
    release = Workflow("release", inputs=ReleaseInputs)

    @release.step
    async def build(ctx: StepContext) -> str:
        return str(ctx.inputs.version)

    release.add("roll-out", roll_out(), when=lambda ctx: ctx.outputs["build"] != "0")

    @release.step(after=("build", "roll-out"))
    async def report(ctx: StepContext) -> bool:
        return ctx.outputs.get("roll-out") is None

    runner = await open_runner(release)
    done = await runner.run("release", {"version": "0"})

    assert done.outputs == {"build": "0", "report": True}


async def test_sub_workflows_nest(open_runner: OpenRunner) -> None:
    middle = Workflow("middle")
    middle.add("inner", roll_out(), inputs=lambda ctx: {"region": ctx.inputs["place"], "replicas": 9})

    @middle.step(after="inner")
    async def told(ctx: StepContext) -> str:
        return str(ctx.outputs["inner"]["plan"])

    outer = Workflow("outer")
    outer.add("m", middle, inputs=lambda ctx: {"place": f"{ctx.inputs['where']}-1"})
    outer.add("end", HumanGateStep("Done?"), after="m/inner")

    runner = await open_runner(outer)
    done = await approve_all(runner, await runner.run("outer", {"where": "eu"}))

    assert done.outputs["m/told"] == "9 in eu-1"
    assert {"m/inner/plan", "m/inner/approve", "m/inner/apply", "m/told", "end"} == set(done.outputs)


async def test_ways_back_and_routes_may_lead_into_a_sub_workflow(open_runner: OpenRunner) -> None:
    plans = []
    part = Workflow("part")

    @part.step
    async def plan(ctx: StepContext) -> int:
        plans.append(ctx.visit)
        return len(plans)

    part.add("check", HumanGateStep("Good?", ("approve", "modify"), routes={"modify": "plan"}))
    whole = Workflow("whole")
    whole.add("part", part)
    whole.add("ship", HumanGateStep("Ship?", ("approve", "again"), routes={"again": "part"}))
    whole.back("ship", to="part", when=lambda ctx: ctx.outputs["part"]["plan"] < 4)

    runner = await open_runner(whole)
    result = await runner.run("whole")
    steps = []
    for option in ("modify", "approve", "again", "approve", "approve", "approve", "approve"):
        [request] = result.pending
        steps.append(request.step)
        result = await runner.resume(result.run_id, request.answer(option))

    assert steps == ["part/check", "part/check", "ship", "part/check", "ship", "part/check", "ship"]
    assert result.status is RunStatus.COMPLETED
    assert plans == [1, 2, 3, 4]


async def test_questions_of_a_sub_workflow_go_where_it_says_and_else_where_the_one_around_it_says(
    open_runner: OpenRunner,
) -> None:
    part = Workflow("part", approvers=["U1"])
    part.add("ask", HumanGateStep("Good?"))
    whole = Workflow("whole", approvers=["U2"], channel="C2")
    whole.add("part", part)

    runner = await open_runner(whole)
    [request] = (await runner.run("whole")).pending

    assert (request.approvers, request.channel, request.workflow) == (("U1",), "C2", "whole")


async def test_inputs_that_can_not_be_made_fail_the_step_by_the_sub_workflows_name(open_runner: OpenRunner) -> None:
    whole = Workflow("whole")
    whole.add("part", roll_out(), inputs=lambda ctx: {"region": ctx.inputs["nowhere"]})
    wrong = Workflow("wrong")
    wrong.add("part", roll_out(), inputs=lambda ctx: {"replicas": "many"})

    runner = await open_runner(whole, wrong)
    raised = await runner.run("whole")
    refused = await runner.run("wrong")

    assert raised.error == "part/plan: inputs= of part raised KeyError: 'nowhere'"
    assert (refused.error or "").startswith("part/plan: inputs of roll-out: region: ")


async def test_question_answered_inside_a_sub_workflow_survives_a_restart(open_runner: OpenRunner) -> None:
    def workflow() -> Workflow:
        release = Workflow("release", inputs=ReleaseInputs)
        release.add("roll-out", roll_out())
        return release

    first = await open_runner(workflow())
    asked = await first.run("release", {"version": "1"})
    await first.__aexit__(None, None, None)
    second = await open_runner(workflow())
    done = await second.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.status is RunStatus.COMPLETED


async def test_two_questions_of_one_step_in_a_sub_workflow_wait_side_by_side(open_runner: OpenRunner) -> None:
    runs = []
    part = Workflow("part")

    @part.step
    async def ask(ctx: StepContext) -> list[str]:
        runs.append(1)
        first, second = await asyncio.gather(
            ctx.interrupt(InterruptRequest(reason="Left?"), key="left"),
            ctx.interrupt(InterruptRequest(reason="Right?"), key="right"),
        )
        return [str(first.option), str(second.option)]

    whole = Workflow("whole")
    whole.add("part", part)
    runner = await open_runner(whole)
    asked = await runner.run("whole")
    left, right = asked.pending
    half = await runner.resume(asked.run_id, left.answer("approve"))
    done = await runner.resume(asked.run_id, right.answer("reject"))

    assert [request.id for request in half.pending] == [right.id]
    assert done.outputs == {"part/ask": ["approve", "reject"]}
    assert len(runs) == 2
