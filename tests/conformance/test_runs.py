"""Starting, steering and looking: what a run does between its questions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, JsonValue, SecretStr

from spectra_bot import (
    AlreadyAnsweredError,
    Delivered,
    DeliveryRecord,
    HumanGateStep,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidInputsError,
    NotPendingError,
    PayloadTooLargeError,
    RunExistsError,
    RunFinishedError,
    RunResult,
    RunStatus,
    SpectraError,
    Step,
    StepContext,
    StepResult,
    UnknownWorkflowError,
    Workflow,
    WorkflowRunner,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.conftest import OpenRunner


class Inputs(BaseModel):
    env: str
    replicas: int = 2


def approval(**gate: object) -> Workflow:
    workflow = Workflow("approval", inputs=Inputs)

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, int]:
        return {"replicas": ctx.inputs.replicas}

    workflow.add("gate", HumanGateStep("Ship it?", data=lambda ctx: {"plan": ctx.outputs["plan"]}, **gate))  # type: ignore[arg-type]  # a test's own keywords

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return f"shipped {ctx.outputs['plan']['replicas']}"

    return workflow


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


async def test_rejection_at_a_gate_fails_the_run_with_who_and_why(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    asked = await runner.run("approval", {"env": "prod"})

    done = await runner.resume(
        asked.run_id, asked.pending[0].answer("reject", responder="slack:T1/U2", notes="not on a Friday")
    )

    assert done.status is RunStatus.FAILED
    assert done.error == "gate: reject by slack:T1/U2: not on a Friday"
    assert "ship" not in done.outputs


async def test_modify_leads_back_to_the_plan_with_what_was_said(open_runner: OpenRunner) -> None:
    workflow = Workflow("loop")

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, object]:
        said = ctx.outputs.get("gate", {}).get("notes")
        return {"visit": ctx.visit, "said": said}

    workflow.add(
        "gate",
        HumanGateStep(
            "Ship it?",
            ("approve", "reject", "modify"),
            data=lambda ctx: {"plan": ctx.outputs["plan"]},
            routes={"modify": "plan"},
        ),
    )
    runner = await open_runner(workflow)
    asked = await runner.run("loop")

    again = await runner.resume(asked.run_id, asked.pending[0].answer("modify", notes="fewer"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    assert again.pending[0].data == {"plan": {"visit": 2, "said": "fewer"}}
    assert again.pending[0].id != asked.pending[0].id
    assert done.status is RunStatus.COMPLETED


async def test_timeout_route_is_taken_when_nobody_decides(open_runner: OpenRunner, clock: ManualClock) -> None:
    workflow = Workflow("timeout")
    workflow.add("gate", HumanGateStep("Ship it?", timeout=timedelta(hours=1), routes={"timeout": "escalate"}))

    @workflow.step
    async def escalate(ctx: StepContext) -> str:
        return "escalated"

    @workflow.step(after="gate")
    async def ship(ctx: StepContext) -> str:
        return "shipped"

    runner = await open_runner(workflow)
    asked = await runner.run("timeout")

    clock.advance(timedelta(hours=1))
    done = await runner.wait(asked.run_id, over=True)

    assert done.outputs == {"gate": {"option": None}, "escalate": "escalated"}
    assert done.status is RunStatus.COMPLETED


async def test_parallel_branches_join_and_skipped_ones_do_not_hold_them_up(open_runner: OpenRunner) -> None:
    workflow = Workflow("branches")
    both = asyncio.Barrier(2)

    @workflow.step
    async def build(ctx: StepContext) -> str:
        return "built"

    @workflow.step(after="build")
    async def test(ctx: StepContext) -> None:
        await both.wait()

    @workflow.step(after="build")
    async def scan(ctx: StepContext) -> None:
        await both.wait()

    @workflow.step(after="build", when=lambda ctx: ctx.outputs["build"] == "nothing")
    async def publish(ctx: StepContext) -> None:
        raise AssertionError("not to be run")

    @workflow.step(after="publish")
    async def announce(ctx: StepContext) -> None:
        raise AssertionError("not to be run")

    @workflow.step(after=("test", "scan", "announce"))
    async def release(ctx: StepContext) -> str:
        return "released"

    runner = await open_runner(workflow)

    done = await runner.run("branches")
    phases = {step.step: step.phase for step in (await runner.get(done.run_id)).steps}

    assert done.outputs["release"] == "released"
    assert phases["publish"] == phases["announce"] == "skipped"


async def test_way_back_is_taken_as_long_as_its_condition_holds(open_runner: OpenRunner) -> None:
    workflow = Workflow("polling")

    @workflow.step
    async def measure(ctx: StepContext) -> int:
        return ctx.visit

    @workflow.step
    async def judge(ctx: StepContext) -> None: ...

    async def too_low(ctx: StepContext) -> bool:
        return bool(ctx.outputs["measure"] < 3)

    workflow.back("judge", to="measure", when=too_low)
    runner = await open_runner(workflow)

    done = await runner.run("polling")

    assert done.outputs["measure"] == 3
    assert done.status is RunStatus.COMPLETED


async def test_loop_without_an_end_fails_clearly(open_runner: OpenRunner) -> None:
    workflow = Workflow("endless")

    @workflow.step
    async def spin(ctx: StepContext) -> None: ...

    workflow.back("spin", to="spin", when=lambda ctx: True)
    runner = await open_runner(workflow)

    done = await runner.run("endless")

    assert done.status is RunStatus.FAILED
    assert done.error == "spin: spin was visited 100 times; its loop has no end"


async def test_failed_step_cancels_the_other_branches_and_says_why(open_runner: OpenRunner) -> None:
    asked = asyncio.Event()
    cleaned_up = asyncio.Event()
    workflow = Workflow("failing")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        asked.set()
        await ctx.interrupt(InterruptRequest(reason="Ship it?"))

    @workflow.step(after=())
    async def work(ctx: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    @workflow.step(after=())
    async def fail(ctx: StepContext) -> None:
        await asked.wait()
        while not await runner.list_pending():
            await asyncio.sleep(0)
        raise ValueError("boom")

    runner = await open_runner(workflow)

    done = await runner.run("failing")
    [record] = (await runner.get(done.run_id)).interrupts

    assert done.status is RunStatus.FAILED
    assert done.error == "fail: ValueError: boom"
    assert cleaned_up.is_set()
    assert record.status is InterruptStatus.CANCELLED
    assert record.closed_why == "step fail failed: ValueError: boom"
    with pytest.raises(NotPendingError, match="boom"):
        await runner.answer(record.request.id, record.request.answer("approve"))


async def test_once_is_done_once_over_reruns_and_hands_out_what_is_stored(open_runner: OpenRunner) -> None:
    effects: list[str] = []
    workflow = Workflow("once")

    @workflow.step
    async def ship(ctx: StepContext) -> object:
        def effect() -> tuple[str, int]:
            effects.append(ctx.effect_id("ship"))
            return "v1", 2

        shipped = await ctx.once("ship", effect)
        await ctx.interrupt(InterruptRequest(reason="Fine?"))
        return shipped

    runner = await open_runner(workflow)
    asked = await runner.run("once")

    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs["ship"] == ["v1", 2]
    assert len(effects) == 1


async def test_once_is_kept_by_a_retry_and_a_failed_effect_is_not(open_runner: OpenRunner) -> None:
    calls: list[str] = []
    workflow = Workflow("retrying")

    async def unreliable() -> str:
        calls.append("second")
        if calls.count("second") == 1:
            raise OSError("down")
        return "done"

    @workflow.step
    async def work(ctx: StepContext) -> int:
        await ctx.once("first", lambda: calls.append("first"))
        await ctx.once("second", unreliable)
        return ctx.attempt

    runner = await open_runner(workflow)
    failed = await runner.run("retrying")

    done = await runner.retry(failed.run_id, by="cli:ada")

    assert failed.error == "work: OSError: down"
    assert done.outputs["work"] == 2
    assert calls == ["first", "second", "second"]


async def test_once_key_used_twice_in_a_visit_fails_the_step(open_runner: OpenRunner) -> None:
    workflow = Workflow("twice")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        await ctx.once("mail", lambda: 1)
        await ctx.once("mail", lambda: 2)

    runner = await open_runner(workflow)

    done = await runner.run("twice")

    assert done.error is not None
    assert "'mail'" in done.error


async def test_retry_keeps_approvals_and_asks_refusals_again(open_runner: OpenRunner) -> None:
    workflow = Workflow("two-questions")

    @workflow.step
    async def ask(ctx: StepContext) -> str:
        first = await ctx.interrupt(InterruptRequest(reason="First?"), key="first")
        second = await ctx.interrupt(InterruptRequest(reason="Second?"), key="second")
        if not second.approved:
            raise ValueError("refused")
        return f"{first.option} {second.option}"

    runner = await open_runner(workflow)
    asked = await runner.run("two-questions")
    asked = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    failed = await runner.resume(asked.run_id, asked.pending[0].answer("reject"))

    again = await runner.retry(failed.run_id)
    done = await runner.resume(again.run_id, again.pending[0].answer("approve"))

    assert [request.reason for request in again.pending] == ["Second?"]
    assert done.outputs["ask"] == "approve approve"


async def test_only_a_failed_run_is_retried_and_only_an_open_one_cancelled(open_runner: OpenRunner) -> None:
    runner = await open_runner(approval())
    asked = await runner.run("approval", {"env": "prod"})

    with pytest.raises(RunFinishedError, match="only a failed run can be retried"):
        await runner.retry(asked.run_id)
    cancelled = await runner.cancel(asked.run_id, by="cli:ada", reason="wrong branch")
    with pytest.raises(RunFinishedError, match="is cancelled; nothing to cancel"):
        await runner.cancel(asked.run_id)

    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.error == "cancelled by cli:ada: wrong branch"
    assert cancelled.pending == ()


async def test_cancelled_step_may_clean_up(open_runner: OpenRunner) -> None:
    running, cleaned = asyncio.Event(), asyncio.Event()
    workflow = Workflow("long")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cleaned.set()
            raise

    runner = await open_runner(workflow)
    run_id = await runner.start("long")
    await running.wait()

    done = await runner.cancel(run_id)

    assert done.status is RunStatus.CANCELLED
    assert cleaned.is_set()


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


async def test_output_that_is_no_json_fails_the_step_and_names_the_place(open_runner: OpenRunner) -> None:
    workflow = Workflow("odd")

    @workflow.step
    async def work(ctx: StepContext) -> object:
        return {"plan": [1, object()]}

    runner = await open_runner(workflow)

    done = await runner.run("odd")

    assert done.error == "work: output of work.plan[1]: object is not JSON"


async def test_payload_past_the_limit_is_refused_with_name_size_and_limit() -> None:
    workflow = Workflow("large")

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return "x" * 2000

    async with WorkflowRunner(workflows=[workflow], database=":memory:", max_payload_bytes=1000) as runner:
        done = await runner.run("large")

    assert done.error == f"work: {PayloadTooLargeError('output of work', 2002, 1000)}"


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


class Desk:
    """A handler that notes what it is given; what it answers is set by the test."""

    def __init__(self, name: str, *answers: InterruptResponse | Delivered | Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        self.handled: list[str] = []
        self.settled: list[tuple[str, Mapping[str, JsonValue]]] = []
        self.concluded: list[RunStatus] = []
        self.done = asyncio.Event()

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered | None:
        self.handled.append(request.reason)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        self.settled.append((response.status, receipt))

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        self.concluded.append(result.status)
        self.done.set()


async def test_first_answer_of_the_handlers_counts_and_later_ones_are_not_asked(open_runner: OpenRunner) -> None:
    policy: IInterruptHandler = Desk("policy", InterruptResponse(status=InterruptStatus.APPROVED))
    people = Desk("people")
    runner = await open_runner(approval(), handlers=[policy, people])

    run_id = await runner.start("approval", {"env": "prod"})
    done = await runner.wait(run_id, over=True)

    assert done.status is RunStatus.COMPLETED
    [record] = (await runner.get(done.run_id)).interrupts
    assert record.response is not None
    assert record.response.responder == "handler:policy"
    assert people.handled == []


async def test_message_is_settled_with_its_receipt_and_the_outcome_told_once(open_runner: OpenRunner) -> None:
    desk = Desk("desk", Delivered({"channel": "C1", "ts": "1.5"}))
    runner = await open_runner(approval(), handlers=[desk])
    asked = await runner.run("approval", {"env": "prod"})

    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    await asyncio.wait_for(desk.done.wait(), 5)

    assert desk.handled == ["Ship it?"]
    assert desk.settled == [("approved", {"channel": "C1", "ts": "1.5"})]
    assert desk.concluded == [RunStatus.COMPLETED]


async def test_handler_that_raises_lets_the_next_be_asked_and_is_asked_again(
    open_runner: OpenRunner, clock: ManualClock
) -> None:
    broken = Desk("broken", OSError("down"), OSError("down"), None)
    people = Desk("people", None)
    runner = await open_runner(approval(), handlers=[broken, people])

    asked = await runner.run("approval", {"env": "prod"})
    [before] = (await runner.get(asked.run_id)).interrupts
    while len(broken.handled) < 3:
        clock.advance(timedelta(seconds=1))
        await asyncio.sleep(0)
        await runner.list_runs()

    assert asked.status is RunStatus.INTERRUPTED
    assert people.handled == ["Ship it?"]
    [failed] = [delivery for delivery in before.deliveries if delivery.handler == "broken"]
    assert failed.attempts == 1
    assert [delivery.attempts for delivery in before.deliveries if delivery.handler == "people"] == [1]
    assert failed.last_error == "OSError: down"


async def test_handler_outside_the_approvers_decides_nothing(open_runner: OpenRunner) -> None:
    policy = Desk("policy", InterruptResponse(status=InterruptStatus.APPROVED))
    people = Desk("people", None)
    runner = await open_runner(approval(approvers=("U1",)), handlers=[policy, people])

    asked = await runner.run("approval", {"env": "prod"})

    assert asked.status is RunStatus.INTERRUPTED
    assert people.handled == ["Ship it?"]


async def test_handler_still_asking_is_cancelled_when_someone_else_answers(open_runner: OpenRunner) -> None:
    class Prompt:
        asked = asyncio.Event()
        cancelled = asyncio.Event()

        async def handle(self, request: InterruptRequest) -> None:
            try:
                self.asked.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

    prompt = Prompt()
    runner = await open_runner(approval(), handlers=[prompt])
    run_id = await runner.start("approval", {"env": "prod"})
    await prompt.asked.wait()
    [request] = await runner.list_pending(run_id=run_id)

    await runner.answer(request.id, request.answer("approve"))
    done = await runner.wait(run_id, over=True)

    assert done.status is RunStatus.COMPLETED
    assert prompt.cancelled.is_set()


async def test_channel_is_the_requests_else_the_workflows_else_the_runs(open_runner: OpenRunner) -> None:
    workflow = Workflow("channels", channel="C-workflow")
    bare = Workflow("bare")
    for target in (workflow, bare):
        target.add("own", HumanGateStep("Own?", channel="C-own"))
        target.add("other", HumanGateStep("Other?"), after=())
    runner = await open_runner(workflow, bare)

    first = await runner.run("channels", channel="C-typed")
    second = await runner.run("bare", channel="C-typed")

    assert [request.channel for request in first.pending] == ["C-own", "C-workflow"]
    assert [request.channel for request in second.pending] == ["C-own", "C-typed"]


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


@pytest.mark.parametrize("failing", ["settle", "conclude"])
async def test_message_that_cannot_be_brought_to_its_end_is_shown_until_it_can(
    open_runner: OpenRunner, clock: ManualClock, failing: str
) -> None:
    class Stuck(Desk):
        tries = 0

        def _try(self, what: str) -> None:
            if what == failing:
                self.tries += 1
                if self.tries <= 2:
                    raise OSError(f"cannot {what}")

        async def settle(
            self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
        ) -> None:
            self._try("settle")

        async def conclude(
            self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]
        ) -> None:
            self._try("conclude")
            self.done.set()

    desk = Stuck("desk", Delivered({"ts": "1"}))
    runner = await open_runner(approval(), handlers=[desk])
    asked = await runner.run("approval", {"env": "prod"})

    async def delivery() -> DeliveryRecord:
        [found] = (await runner.get(asked.run_id)).interrupts[0].deliveries
        return found

    await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    async with asyncio.timeout(10):
        while (stuck := await delivery()).attempts < 2:
            clock.advance(timedelta(seconds=1))
        while (fine := await delivery()).last_error is not None:
            clock.advance(timedelta(seconds=1))

    assert (stuck.last_error, stuck.attempts) == (f"OSError: cannot {failing}", 2)
    assert stuck.next_attempt_at is not None
    assert (fine.next_attempt_at, fine.attempts) == (None, 1)


async def test_people_read_why_a_question_closed_without_an_answer(open_runner: OpenRunner) -> None:
    notes: list[str | None] = []

    class Board(Desk):
        async def settle(
            self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
        ) -> None:
            notes.append(response.notes)

    board = Board("board", Delivered({"ts": "1"}))
    runner = await open_runner(approval(), handlers=[board])
    asked = await runner.run("approval", {"env": "prod"})

    await runner.cancel(asked.run_id, by="cli:ada", reason="wrong branch")
    await asyncio.wait_for(board.done.wait(), 5)

    assert notes == ["run cancelled by cli:ada: wrong branch"]


@pytest.mark.parametrize("where", ["when", "back"])
async def test_condition_that_asks_fails_the_run(open_runner: OpenRunner, where: str) -> None:
    workflow = Workflow("asking-condition")

    async def asks(ctx: StepContext) -> bool:
        return (await ctx.interrupt(InterruptRequest(reason="Really?"))).approved

    @workflow.step(when=asks if where == "when" else None)
    async def work(ctx: StepContext) -> None: ...

    if where == "back":
        workflow.back("work", to="work", when=asks)
    runner = await open_runner(workflow)

    done = await runner.run("asking-condition")

    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert "only a step can ask" in done.error


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), SystemExit(3), GeneratorExit("odd")])
async def test_step_that_raises_what_is_no_exception_fails_its_run(
    open_runner: OpenRunner, raised: BaseException
) -> None:
    workflow = Workflow("odd")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        raise raised

    runner = await open_runner(workflow)

    done = await asyncio.wait_for(runner.run("odd"), 5)

    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert type(raised).__name__ in done.error


async def test_step_that_fails_behind_an_unanswered_question_is_parked(open_runner: OpenRunner) -> None:
    workflow = Workflow("swallowing")

    @workflow.step
    async def work(ctx: StepContext) -> StepResult:
        try:
            await ctx.interrupt(InterruptRequest(reason="Ship it?"))
        except BaseException:  # noqa: BLE001  what a careless step does
            return StepResult.failed("nobody said yes")
        return StepResult.completed("shipped")

    runner = await open_runner(workflow)
    asked = await runner.run("swallowing")

    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs["work"] == "shipped"


async def test_effect_that_has_begun_outlives_its_step_and_is_not_repeated(open_runner: OpenRunner) -> None:
    begun, go_on, failing = asyncio.Event(), asyncio.Event(), asyncio.Event()
    effects: list[str] = []
    workflow = Workflow("siblings")

    async def ship() -> str:
        effects.append("ship")
        begun.set()
        await go_on.wait()
        return "shipped"

    @workflow.step
    async def work(ctx: StepContext) -> str:
        return str(await ctx.once("ship", ship))

    @workflow.step(after=())
    async def fail(ctx: StepContext) -> None:
        await begun.wait()
        if not failing.is_set():
            failing.set()
            raise ValueError("boom")

    runner = await open_runner(workflow)
    failed = await runner.run("siblings")
    retrying = asyncio.create_task(runner.retry(failed.run_id))
    go_on.set()

    done = await asyncio.wait_for(retrying, 5)

    assert failed.status is RunStatus.FAILED
    assert done.outputs["work"] == "shipped"
    assert effects == ["ship"]


async def test_effect_beside_a_question_is_not_repeated_when_the_step_runs_again(open_runner: OpenRunner) -> None:
    effects: list[str] = []
    workflow = Workflow("beside")

    async def ship() -> str:
        effects.append("ship")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "shipped"

    @workflow.step
    async def work(ctx: StepContext) -> object:
        answer, shipped = await asyncio.gather(
            ctx.interrupt(InterruptRequest(reason="Tell them?")), ctx.once("ship", ship)
        )
        return [answer.option, shipped]

    runner = await open_runner(workflow)
    asked = await runner.run("beside")

    done = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert done.outputs["work"] == ["approve", "shipped"]
    assert effects == ["ship"]


async def test_effect_whose_result_is_no_json_is_not_repeated(open_runner: OpenRunner) -> None:
    effects: list[str] = []
    workflow = Workflow("unstorable")

    def ship() -> object:
        effects.append("ship")
        return object()

    @workflow.step
    async def work(ctx: StepContext) -> None:
        await ctx.once("ship", ship)

    runner = await open_runner(workflow)
    failed = await runner.run("unstorable")

    again = await runner.retry(failed.run_id)

    assert failed.error is not None
    assert "did its effect" in failed.error
    assert again.error == failed.error
    assert effects == ["ship"]


async def test_effect_is_not_begun_by_a_step_that_was_cancelled(open_runner: OpenRunner) -> None:
    running, go_on, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()
    effects: list[str] = []
    workflow = Workflow("stubborn")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        running.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            try:
                await ctx.once("ship", lambda: effects.append("ship"))
            except SpectraError:
                refused.set()

    runner = await open_runner(workflow)
    run_id = await runner.start("stubborn")
    await running.wait()

    await runner.cancel(run_id)

    assert refused.is_set()
    assert effects == []


async def test_handler_that_hangs_does_not_hide_the_question_from_the_next(
    open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectra_bot.embedded.outbox.FIRST_TURN_S", 0.05)

    class Hanging:
        async def handle(self, request: InterruptRequest) -> None:
            await asyncio.Event().wait()

    people = Desk("people", None)
    runner = await open_runner(approval(), handlers=[Hanging(), people])

    asked = await runner.run("approval", {"env": "prod"})

    assert people.handled == ["Ship it?"]
    assert asked.status is RunStatus.INTERRUPTED


async def test_handler_that_returns_something_else_or_cancels_itself_is_asked_again_later(
    open_runner: OpenRunner,
) -> None:
    calls: list[str] = []

    class Odd:
        name = "odd"

        async def handle(self, request: InterruptRequest) -> None:
            calls.append("odd")
            return {"approved": True}  # type: ignore[return-value]  # what is tested

    class Cancelling:
        name = "cancelling"

        async def handle(self, request: InterruptRequest) -> None:
            calls.append("cancelling")
            raise asyncio.CancelledError

    runner = await open_runner(approval(), handlers=[Odd(), Cancelling()])

    asked = await runner.run("approval", {"env": "prod"})
    [record] = (await runner.get(asked.run_id)).interrupts

    assert calls == ["odd", "cancelling"]
    assert {delivery.handler: delivery.last_error for delivery in record.deliveries} == {
        "odd": "DefinitionError: handler odd returned dict; InterruptResponse, Delivered or None is needed",
        "cancelling": "CancelledError: ",
    }


async def test_refused_answer_takes_over_nothing(tmp_path: Path) -> None:
    started = asyncio.Event()
    database = str(tmp_path / "spectra.db")
    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))

    @workflow.step
    async def ship(ctx: StepContext) -> None:
        started.set()

    async with WorkflowRunner(workflows=[workflow], database=database) as runner:
        asked = await runner.run("asking")
        [request] = asked.pending
    async with WorkflowRunner(database=database, recover=False) as elsewhere:
        await elsewhere.answer(request.id, request.answer("approve", responder="cli:ada"))
    async with WorkflowRunner(workflows=[workflow], database=database, recover=False) as refused:
        with pytest.raises(AlreadyAnsweredError):
            await refused.answer(request.id, request.answer("reject", responder="cli:bob"))

    assert not started.is_set()
