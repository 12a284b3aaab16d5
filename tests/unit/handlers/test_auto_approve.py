from __future__ import annotations

from pydantic import BaseModel

from handlers.auto_approve import AutoApproveHandler
from spectra_bot import InterruptOption, InterruptStatus, RunStatus, StepContext, Workflow, WorkflowRunner
from tests.unit.handlers.questions import question


class Size(BaseModel):
    replicas: int


async def test_first_option_that_means_approval_is_given() -> None:
    answer = await AutoApproveHandler(notes="CI").handle(question(options=("reject", "apply", "approve")))

    assert answer is not None
    assert (answer.status, answer.option, answer.notes) == (InterruptStatus.APPROVED, "apply", "CI")
    assert answer.responder == "handler:AutoApproveHandler"


async def test_question_without_an_approving_option_is_left_alone() -> None:
    assert await AutoApproveHandler().handle(question(options=("later", "never"))) is None


async def test_named_option_is_given_where_it_is_offered() -> None:
    handler = AutoApproveHandler(option="later")

    given = await handler.handle(question(options=("approve", "later")))

    assert given is not None
    assert given.option == "later"
    assert await handler.handle(question(options=("approve",))) is None


async def test_predicate_decides_which_questions_it_answers() -> None:
    handler = AutoApproveHandler(when=lambda request: request.data.get("env") == "staging")

    assert await handler.handle(question(data={"env": "staging"})) is not None
    assert await handler.handle(question(data={"env": "prod"})) is None


async def test_option_whose_form_it_cannot_fill_in_is_passed_over() -> None:
    sized = InterruptOption("size", status=InterruptStatus.APPROVED, form=Size)
    request = question(options=(sized, "approve"))

    plain = await AutoApproveHandler().handle(request)
    filled = await AutoApproveHandler(data={"replicas": 3}).handle(request)

    assert plain is not None
    assert plain.option == "approve"
    assert filled is not None
    assert (filled.option, filled.data) == ("size", {"replicas": 3})


async def test_run_goes_through_without_a_person() -> None:
    workflow = Workflow("deploy")

    @workflow.step
    async def approve(ctx: StepContext) -> str | None:
        return (await ctx.interrupt(question())).responder

    async with WorkflowRunner(workflows=[workflow], database=":memory:", handlers=[AutoApproveHandler()]) as runner:
        result = await runner.run("deploy")

    assert result.status is RunStatus.COMPLETED
    assert result.outputs["approve"] == "handler:AutoApproveHandler"


async def test_it_may_not_decide_where_approvers_are_named() -> None:
    workflow = Workflow("deploy", approvers=["U1"])

    @workflow.step
    async def approve(ctx: StepContext) -> None:
        await ctx.interrupt(question())

    async with WorkflowRunner(workflows=[workflow], database=":memory:", handlers=[AutoApproveHandler()]) as runner:
        result = await runner.run("deploy")

    assert result.status is RunStatus.INTERRUPTED
