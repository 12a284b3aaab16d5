"""Starting and looking: what goes into a run, and what is shown of it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr

from spectra_bot import (
    AlreadyAnsweredError,
    InvalidInputsError,
    InvalidWordError,
    RunExistsError,
    RunStatus,
    Step,
    StepContext,
    StepResult,
    UnknownWorkflowError,
    Workflow,
)
from tests.conformance.asking import approval
from tests.conformance.conftest import OpenRunner


async def test_linear_run_completes_with_the_outputs_of_its_steps(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())

    asked = await runner.run("approval", {"env": "prod", "replicas": "3"}, requested_by="slack:T1/U1")
    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve", responder="cli:ada"))

    assert asked.pending[0].data == {"plan": {"replicas": 3}}
    assert asked.pending[0].requested_by == "slack:T1/U1"
    assert done.status is RunStatus.COMPLETED
    assert done.outputs["ship"] == "shipped 3"
    assert done.outputs["gate"] == {
        "option": "approve",
        "status": "approved",
        "responder": "cli:ada",
        "notes": None,
        "data": {},
    }


async def test_bad_inputs_are_refused_field_by_field(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())

    with pytest.raises(InvalidInputsError) as refused:
        await runner.run("approval", {"replicas": "many"})
    with pytest.raises(UnknownWorkflowError, match="loaded: approval"):
        await runner.run("aproval")

    assert set(refused.value.fields) == {"env", "replicas"}
    assert await runner.list_runs() == []


async def test_secret_inputs_reach_the_step_in_the_clear(open_runner: OpenRunner) -> None:
    class Login(BaseModel):
        password: SecretStr

    workflow = Workflow("secret", inputs=Login)

    @workflow.step
    async def login(ctx: StepContext) -> bool:
        return bool(ctx.inputs.password.get_secret_value() == "hunter2")

    runner = await open_runner(workflow)

    done = await runner.run("secret", {"password": "hunter2"})

    assert done.outputs["login"] is True


async def test_secret_inputs_are_shown_to_nobody(open_runner: OpenRunner) -> None:
    class Login(BaseModel):
        opaque: SecretStr
        more: dict[str, list[SecretStr]] = {}

    workflow = Workflow("secret", inputs=Login)

    @workflow.step
    async def login(ctx: StepContext) -> None: ...

    runner = await open_runner(workflow)

    done = await runner.run("secret", {"opaque": "hunter2", "more": {"pair": ["a", "hunter2"]}})
    shown = await runner.get(done.run_id)
    history = await runner.history(done.run_id)

    assert shown.inputs == {"opaque": "••••••", "more": {"pair": ["••••••", "••••••"]}}
    assert "hunter2" not in "".join(entry.model_dump_json() for entry in history)


async def test_same_start_again_returns_the_run_that_is_there(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    first = await runner.start("approval", {"env": "prod"}, run_id="nightly-1")

    again = await runner.start("approval", {"env": "prod"}, run_id="nightly-1")
    with pytest.raises(RunExistsError, match="nightly-1"):
        await runner.start("approval", {"env": "test"}, run_id="nightly-1")

    assert first == again == "nightly-1"
    assert len(await runner.list_runs()) == 1


@pytest.mark.parametrize("run_id", ["", "a b", "a\n"])
async def test_id_that_is_no_word_starts_nothing(open_runner: OpenRunner, run_id: str) -> None:
    runner = await open_runner(approval())

    with pytest.raises(InvalidWordError, match="must be one word"):
        await runner.start("approval", {"env": "prod"}, run_id=run_id)

    assert await runner.list_runs() == []


async def test_output_that_is_no_json_fails_the_step_and_names_the_place(open_runner: OpenRunner) -> None:
    workflow = Workflow("odd")

    @workflow.step
    async def work(ctx: StepContext) -> object:
        return {"plan": [1, object()]}

    runner = await open_runner(workflow)

    done = await runner.run("odd")

    assert done.error == "work: output of work.plan[1]: object is not JSON"


async def test_class_steps_and_skipped_results_work_like_functions(open_runner: OpenRunner) -> None:
    class Nothing(Step):
        async def execute(self, ctx: StepContext) -> StepResult:
            return StepResult.skipped()

    class Something(Step):
        async def execute(self, ctx: StepContext) -> StepResult:
            return StepResult.completed({"was": ctx.step})

    workflow = Workflow("classes")
    workflow.add("nothing", Nothing())
    workflow.add("never", Something())
    workflow.add("something", Something(), after=())
    runner = await open_runner(workflow)

    done = await runner.run("classes")

    assert done.outputs == {"something": {"was": "something"}}


async def test_history_tells_every_event_with_who(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    asked = await runner.run("approval", {"env": "prod"}, requested_by="slack:T1/U1")
    await runner.resume(asked.run_id, asked.pending[0].answer("approve", responder="slack:T1/U2"))

    history = await runner.history(asked.run_id)

    assert [(entry.event, entry.by) for entry in history] == [
        ("RunStarted", "slack:T1/U1"),
        ("StepCompleted", None),
        ("InterruptRaised", None),
        ("InterruptAnswered", "slack:T1/U2"),
        ("StepCompleted", None),
        ("StepCompleted", None),
    ]
    assert [entry.seq for entry in history] == [1, 2, 3, 4, 5, 6]


async def test_lists_show_what_waits_and_what_ran(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    first = await runner.run("approval", {"env": "a"})
    second = await runner.run("approval", {"env": "b"})
    await runner.resume(first.run_id, first.pending[0].answer("reject"))

    pending = await runner.list_pending()
    failed = await runner.list_runs(status=RunStatus.FAILED)
    both = await runner.list_runs(workflow="approval")

    assert [request.run_id for request in pending] == [second.run_id]
    assert [run.run_id for run in failed] == [first.run_id]
    assert {run.run_id: run.pending for run in both} == {first.run_id: 0, second.run_id: 1}
    with pytest.raises(AlreadyAnsweredError):
        await runner.answer(first.pending[0].id, first.pending[0].answer("approve"))
