"""The seed page, snippet by snippet, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from handlers.slack import SlackApprovalHandler, open_client
from spectra_bot import (
    HumanGateStep,
    IInterruptHandler,
    InterruptException,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunStatus,
    Step,
    StepContext,
    StepResult,
    StepStatus,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing import FakeSlack
from tests.engines import Place, built_on


def generate_deployment_plan(inputs: dict[str, object]) -> dict[str, object]:
    return {"replicas": inputs["replicas"]}


class Deploy(Step):
    """ "Any step can request an interrupt by throwing an InterruptException"."""

    async def execute(self, ctx: StepContext) -> StepResult:
        plan = generate_deployment_plan(ctx.inputs)
        if ctx.response is None:
            raise InterruptException(
                InterruptRequest.builder()
                .with_reason("Deployment plan requires approval")
                .with_data("plan", plan)
                .with_options("approve", "reject", "modify")
                .build()
            )
        return StepResult.completed({"status": ctx.response.status, "notes": ctx.response.data["notes"]})


class DeployReturning(Step):
    """ "... or returning StepStatus.Interrupted"."""

    async def execute(self, ctx: StepContext) -> StepResult:
        if ctx.response is None:
            return StepResult(
                status=StepStatus.INTERRUPTED, request=InterruptRequest(reason="Deployment plan requires approval")
            )
        return StepResult.completed({"status": ctx.response.status, "notes": ctx.response.data["notes"]})


@pytest.fixture(params=[Deploy, DeployReturning])
async def runner(request: pytest.FixtureRequest, place: Place) -> AsyncIterator[WorkflowRunner]:
    workflow = Workflow("deploy")
    workflow.add("deploy", request.param())
    async with built_on(WorkflowRunner.builder().add_workflow(workflow), place) as runner:
        yield runner


async def test_interrupt_saves_a_checkpoint_surfaces_the_request_and_stops(runner: WorkflowRunner) -> None:
    result = await runner.run("deploy", {"replicas": 3})

    assert result.status is RunStatus.INTERRUPTED
    assert result.pending[0].reason == "Deployment plan requires approval"
    assert [request.id for request in await runner.list_pending()] == [result.pending[0].id]
    assert "InterruptRaised" in [entry.event for entry in await runner.history(result.run_id)]


async def test_step_re_executes_with_the_response_in_its_context(runner: WorkflowRunner) -> None:
    run_id = (await runner.run("deploy", {"replicas": 3})).run_id

    response = InterruptResponse(status=InterruptStatus.APPROVED, data={"notes": "Looks good, ship it"})
    result = await runner.resume(run_id, response)

    assert result.status is RunStatus.COMPLETED
    assert result.outputs["deploy"] == {"status": "approved", "notes": "Looks good, ship it"}


async def test_handler_answers_by_itself(place: Place) -> None:
    class AlwaysApprove:
        async def handle(self, request: InterruptRequest) -> InterruptResponse:
            return InterruptResponse(status=InterruptStatus.APPROVED, data={"notes": "by policy"})

    handler: IInterruptHandler = AlwaysApprove()
    workflow = Workflow("deploy")
    workflow.add("deploy", Deploy())
    builder = WorkflowRunner.builder().add_workflow(workflow)

    async with built_on(builder.add_interrupt_handler(handler), place) as runner:
        run_id = await runner.start("deploy", {"replicas": 3})
        result = await runner.wait(run_id, over=True)

    assert result.outputs["deploy"] == {"status": "approved", "notes": "by policy"}


async def test_slack_handler_is_registered_like_any_other(place: Place) -> None:
    workflow = Workflow("deploy")
    workflow.add("deploy", Deploy())
    async with FakeSlack() as slack, open_client(slack.bot_token, base_url=slack.base_url) as client:
        handler: IInterruptHandler = SlackApprovalHandler(client, default_channel="C1")
        builder = WorkflowRunner.builder().add_workflow(workflow)
        async with built_on(builder.add_interrupt_handler(handler), place) as runner:
            await runner.run("deploy", {"replicas": 3})
            [message] = slack.messages("C1")

    assert message.text.startswith("Deployment plan requires approval")


def test_request_builder_makes_what_keywords_make() -> None:
    request = (
        InterruptRequest.builder()
        .with_reason("Review the generated code before applying")
        .with_data("files", ["a.py"])
        .with_data("diff", "+1")
        .with_options("apply", "reject", "edit")
        .with_timeout(timedelta(hours=24))
        .build()
    )

    assert request == InterruptRequest(
        reason="Review the generated code before applying",
        data={"files": ["a.py"], "diff": "+1"},
        options=("apply", "reject", "edit"),
        timeout=timedelta(hours=24),
    )
    assert [option.status for option in request.options] == ["approved", "rejected", "answered"]


async def test_gate_is_a_node_that_only_asks(place: Place) -> None:
    workflow = Workflow("gated")
    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    async with built_on(WorkflowRunner.builder().add_workflow(workflow), place) as runner:
        asked = await runner.run("gated")
        done = await runner.resume(asked.run_id, InterruptResponse(status=InterruptStatus.APPROVED))

    assert asked.outputs == {}
    assert done.outputs["ship"] == "shipped"
