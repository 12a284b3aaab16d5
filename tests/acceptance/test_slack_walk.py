"""A release as a team sees it in Slack, from the slash command to the last word in the thread, on both engines."""

from __future__ import annotations

from datetime import timedelta

from spectra_bot import InterruptOption, InterruptRequest, RunStatus, StepContext, StepResult, Workflow
from spectra_bot.testing import Message
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons
from tests.integration.slack.workflows import Change, DeployInputs


def release() -> Workflow:
    """Asks twice, one after the other: the second question is open for a moment only."""
    workflow = Workflow("release", inputs=DeployInputs, description="Ship a release")

    @workflow.step
    async def approve(ctx: StepContext) -> StepResult | dict[str, object]:
        options = ("approve", "reject", InterruptOption("change", form=Change))
        response = await ctx.interrupt(InterruptRequest(reason=f"Ship to {ctx.inputs.env}?", options=options))
        if response.rejected:
            return StepResult.failed(f"rejected by {response.responder}")
        return {"by": response.responder, "data": response.data}

    @workflow.step
    async def confirm(ctx: StepContext) -> str | None:
        moment = timedelta(seconds=1)
        response = await ctx.interrupt(
            InterruptRequest(reason="Smoke test fine?", timeout=moment, default_option="approve")
        )
        return response.option

    return workflow


async def started(bot: Bot, env: str) -> tuple[str, Message]:
    """Type the command, and see the question that comes of it."""
    before = len(bot.questions())
    ack = await bot.command(f"run release env={env}", user="U1")
    assert "Started run" in ack.text
    await bot.slack.wait_for(lambda: len(bot.questions()) > before)
    return (await bot.runner.list_runs())[0].run_id, bot.questions()[-1]


async def test_release_is_walked_from_the_command_to_the_last_word_in_its_thread(place: Place) -> None:
    async with a_bot(place, [release()]) as bot:
        # Somebody starts it and thinks better of it: the question is closed, and its buttons are gone.
        cancelled, question = await started(bot, "nowhere")
        assert has_buttons(question)
        await bot.command(f"cancel {cancelled} wrong place")
        assert "wrong place" in (await bot.until_closed(question)).shown
        assert (await bot.finished(cancelled)).status is RunStatus.CANCELLED

        # It is started anew. One rejects it, and who comes later is told so.
        run_id, question = await started(bot, "prod")
        assert (await bot.slack.click(question, "Reject", user="U2")).is_acked
        assert "*Reject* by <@U2>" in (await bot.until_closed(question)).text
        await bot.slack.click(question, "Approve", user="U1", version=0)
        await bot.slack.wait_for(lambda: "Decided already: ⛔ *Reject* by <@U2>" in bot.whispered("U1"))
        assert (await bot.finished(run_id)).status is RunStatus.FAILED
        await bot.slack.wait_for(lambda: bot.slack.thread(question.channel, question.ts))

        # The failed run is taken up again, and asks again; the answer is a form.
        await bot.command(f"retry {run_id}")
        await bot.slack.wait_for(lambda: len(bot.questions()) == 3)
        again = bot.questions()[-1]
        await bot.slack.click(again, "Change…", user="U2")
        ack = await bot.slack.submit(await bot.modal("U2"), {"field:0": "less at once", "field:1": "1"})
        assert ack.problem is None
        assert "less at once" in (await bot.until_closed(again)).shown

        # Nobody answers the last question in time, and its default applies.
        await bot.slack.wait_for(lambda: len(bot.questions()) == 4)
        assert "*Nobody decided*" in (await bot.until_closed(bot.questions()[-1])).text
        result = await bot.finished(run_id)

        assert result.status is RunStatus.COMPLETED
        approved = result.outputs["approve"]
        assert isinstance(approved, dict)
        assert approved["by"] == "slack:T1/U2"
        assert isinstance(approved["data"], dict)
        assert (approved["data"]["why"], approved["data"]["replicas"]) == ("less at once", 1)
        assert result.outputs["confirm"] == "approve"
        (told,) = await bot.slack.wait_for(lambda: bot.slack.thread("C1", bot.questions()[-1].ts))
        assert "is done" in told.text
        await bot.command(f"show {run_id}")
        await bot.slack.wait_for(lambda: "✅" in bot.whispered("U1"))
