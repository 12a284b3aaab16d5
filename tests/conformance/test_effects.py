"""What a step does to the world: once, whatever becomes of the step."""

from __future__ import annotations

import asyncio

from spectra_bot import (
    InterruptRequest,
    RunStatus,
    SpectraError,
    StepContext,
    Workflow,
)
from tests.conformance.conftest import OpenRunner


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

    done = await asyncio.wait_for(retrying, 20)

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
