"""What a run is at is shown in the thread of its newest question, as it happens and seldom enough for Slack."""

from __future__ import annotations

import asyncio

import pytest
from pydantic_ai import RunContext

from handlers.slack import SlackApprovalHandler, ThreadProgress
from spectra_bot import InterruptRequest, RunStatus, RunUpdate, StepContext, Workflow
from spectra_bot.testing import Message, RateLimited, ServerError
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot


class Pauses:
    """Time that stands still until it is let go on, and what was waited for."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.go = asyncio.Event()
        self.waits = asyncio.Event()
        self._now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.waits.set()
        await self.go.wait()
        self._now += seconds

    async def paused(self) -> None:
        """Return when somebody pauses."""
        async with asyncio.timeout(20):
            await self.waits.wait()

    def progress(self, handler: SlackApprovalHandler) -> ThreadProgress:
        return ThreadProgress(handler, sleep=self.sleep, now=lambda: self._now)


class Work:
    """A workflow that asks, and then works for as long as the test wants."""

    def __init__(self) -> None:
        self.workflow = Workflow("working")
        self.context: StepContext | None = None
        self.is_at_it = asyncio.Event()
        self.finish = asyncio.Event()

        @self.workflow.step
        async def gate(ctx: StepContext) -> None:
            await ctx.interrupt(InterruptRequest(reason="Begin?"))

        @self.workflow.step
        async def work(ctx: StepContext) -> str:
            self.context = ctx
            self.is_at_it.set()
            await self.finish.wait()
            return "done"

    async def begin(self, bot: Bot) -> tuple[str, Message, StepContext]:
        """The run at work, its question, and the context of its step."""
        run_id = await bot.ask("working")
        message = await bot.question()
        await bot.slack.click(message, "Approve")
        await self.is_at_it.wait()
        assert self.context is not None
        return run_id, message, self.context


def thread(bot: Bot, message: Message) -> list[str]:
    """What stands in a question's thread but for how the run ended."""
    return [reply.shown for reply in bot.slack.thread("C1", message.ts) if "  ·  run" not in reply.text]


async def test_agents_text_calls_and_outcomes_stand_in_the_thread(place: Place) -> None:
    async def look(ctx: RunContext[StepContext], what: str) -> dict[str, str]:
        return {"seen": what}

    async def ask(ctx: RunContext[StepContext], what: str) -> str | None:
        return (await ctx.deps.interrupt(InterruptRequest(reason=what))).option

    turns = ([call("ask", "a", what="One?")], [call("look", "b", what="<!channel>")], [call("ask", "c", what="Two?")])
    script = Script(*turns, "It is done.")
    pauses = Pauses()
    pauses.go.set()
    async with a_bot(place, [workflow_of(agent_of(script, look, ask))], progress=pauses.progress) as bot:
        run_id = await bot.ask("agent")
        first = await bot.question()
        assert thread(bot, first) == []

        await bot.slack.click(first, "Approve")
        second = (await bot.slack.wait_for(lambda: bot.questions()[1:]))[0]
        asks = await bot.slack.wait_for(lambda: [text for text in thread(bot, first) if "✋ work asks" in text])
        await bot.slack.click(second, "Approve")
        await bot.finished(run_id)
        done = await bot.slack.wait_for(lambda: [text for text in thread(bot, second) if "✅ work is done" in text])

        assert '• look: {"seen":"<!channel>"}' in asks[0]
        assert "• ask: approve" in asks[0]
        assert "Because." in asks[0]
        assert "It is done." in done[0]
        assert (len(thread(bot, first)), len(thread(bot, second))) == (1, 1)


async def test_work_after_a_click_is_shown_under_what_was_clicked_also_where_that_is_not_stored_yet(
    place: Place,
) -> None:
    work, pauses = Work(), Pauses()
    async with a_bot(place, [work.workflow], progress=pauses.progress) as bot:
        held = bot.slack.faults.hold("chat.postMessage", after_work=True)  # it stands there, and Slack has not said so
        run_id, message, ctx = await work.begin(bot)

        ctx.progress(0.5, "half")
        held.release()

        await bot.slack.wait_for(lambda: thread(bot, message))
        work.finish.set()
        pauses.go.set()
        await bot.finished(run_id)

    assert len(thread(bot, message)) == 1


async def test_run_that_has_asked_nothing_shows_nothing(place: Place) -> None:
    workflow = Workflow("silent")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        ctx.progress(0.5, "half")

    async with a_bot(place, [workflow]) as bot:
        run_id = await bot.ask("silent")

        await bot.finished(run_id)

    assert bot.slack.messages("C1") == []


async def test_what_comes_within_a_second_is_left_out_but_for_the_last(place: Place) -> None:
    work, pauses = Work(), Pauses()
    async with a_bot(place, [work.workflow], progress=pauses.progress) as bot:
        run_id, message, ctx = await work.begin(bot)
        ctx.progress(text="word 0")
        await bot.slack.wait_for(lambda: thread(bot, message))
        for number in range(1, 100):
            ctx.progress(number / 100, f"word {number}")
            await asyncio.sleep(0)
        await pauses.paused()
        assert "word 0" in thread(bot, message)[0]

        pauses.go.set()

        await bot.slack.wait_for(lambda: "word 99" in thread(bot, message)[0])
        [shown] = [reply for reply in bot.slack.thread("C1", message.ts) if "at work" in reply.text]
        assert len(shown.versions) == 2
        assert pauses.asked == [1.0]
        work.finish.set()
        await bot.finished(run_id)
        await bot.slack.wait_for(lambda: "✅ work is done" in thread(bot, message)[0])


async def test_pause_that_slack_asks_for_is_kept(place: Place) -> None:
    work, pauses = Work(), Pauses()
    async with a_bot(place, [work.workflow], progress=pauses.progress) as bot:
        _, message, ctx = await work.begin(bot)
        bot.slack.faults.add("chat.postMessage", RateLimited(retry_after=30))
        ctx.progress(text="first")
        await pauses.paused()
        assert pauses.asked == [30.0]
        ctx.progress(text="second")

        pauses.go.set()

        await bot.slack.wait_for(lambda: "second" in "".join(thread(bot, message)))
        assert "first" not in thread(bot, message)[0]
        work.finish.set()


async def test_step_does_not_wait_for_slack_and_ends_without_it(place: Place) -> None:
    work = Work()
    async with a_bot(place, [work.workflow]) as bot:
        run_id, message, ctx = await work.begin(bot)
        held = bot.slack.faults.hold("chat.postMessage")
        ctx.progress(text="unheard")
        await held.arrived.wait()
        bot.slack.faults.add("*", ServerError(), times=None)

        work.finish.set()

        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        assert thread(bot, message) == []
        bot.slack.faults.clear()


async def test_step_that_is_cancelled_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.slack.progress.SILENT_S", 0.1)  # on Temporal nobody tells a worker why
    work = Work()
    async with a_bot(place, [work.workflow]) as bot:
        run_id, message, ctx = await work.begin(bot)
        ctx.progress(text="here")
        await bot.slack.wait_for(lambda: thread(bot, message))

        await bot.runner.cancel(run_id)

        await bot.slack.wait_for(lambda: "🚫 work was stopped" in thread(bot, message)[0])


async def test_process_that_stops_says_that_the_step_goes_on_later(place: Place) -> None:
    work = Work()
    async with a_bot(place, [work.workflow]) as bot:
        _, message, ctx = await work.begin(bot)
        ctx.progress(text="here")
        await bot.slack.wait_for(lambda: thread(bot, message))
        slack = bot.slack

    assert "⏸️ work goes on when I am back" in slack.thread("C1", message.ts)[0].text


async def test_step_that_was_stopped_elsewhere_is_not_at_work_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.slack.progress.SILENT_S", 0.01)
    work = Work()
    async with a_bot(place, [work.workflow]) as bot, ThreadProgress(bot.handler) as progress:
        run_id = await bot.ask("working")
        message = await bot.question()

        progress.hear(RunUpdate(run_id=run_id, event="StepProgress", step="work", text="here"))

        await bot.slack.wait_for(lambda: "🚫 work was stopped" in "".join(thread(bot, message)))


async def test_steps_beside_each_other_share_one_message(place: Place) -> None:
    async with a_bot(place, [Work().workflow]) as bot, ThreadProgress(bot.handler) as progress:
        run_id = await bot.ask("working")
        message = await bot.question()

        for event, step in (("Progress", "one"), ("Progress", "two"), ("Completed", "one"), ("Failed", "two")):
            progress.hear(RunUpdate(run_id=run_id, event=f"Step{event}", step=step, text="here"))

        [shown] = await bot.slack.wait_for(lambda: thread(bot, message))
        assert "✅ one is done" in shown
        assert "❌ two failed" in shown
