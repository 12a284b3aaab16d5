"""Which way a run goes: branches, joins, ways back, and what a rejection or a failure leads to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from spectra_bot import (
    HumanGateStep,
    InterruptRequest,
    InterruptStatus,
    NotPendingError,
    RunStatus,
    StepContext,
    Workflow,
)
from spectra_bot.testing.clock import ManualClock
from tests.conformance.asking import approval
from tests.conformance.conftest import OpenRunner


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
    asked, at_work = asyncio.Event(), asyncio.Event()
    cleaned_up = asyncio.Event()
    workflow = Workflow("failing")

    @workflow.step
    async def ask(ctx: StepContext) -> None:
        asked.set()
        await ctx.interrupt(InterruptRequest(reason="Ship it?"))

    @workflow.step(after=())
    async def work(ctx: StepContext) -> None:
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    @workflow.step(after=())
    async def fail(ctx: StepContext) -> None:
        await asked.wait()
        await at_work.wait()
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
