"""An answer that nobody takes: whoever gave it is told so, and later what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from spectra_bot import InterruptResponse, RetryPolicy, RunStatus, TemporalOptions, Workflow
from spectra_bot.testing import FakeSlack, Held, Message, Refused
from tests.engines import Place, a_place_on, a_runner
from tests.integration.slack.bot import Bot, a_bot, has_buttons
from tests.integration.slack.workflows import ask, deploy, with_form
from tests.temporal_server import TemporalServer, a_temporal


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long comes soon: an answer is late, a call is given up, and the next attempt begins."""
    pauses = RetryPolicy(first_pause=timedelta(milliseconds=10), longest_pause=timedelta(milliseconds=50))
    monkeypatch.setattr("handlers.slack.attempts.SOON_S", 0.4)
    monkeypatch.setattr("handlers.slack.attempts.PAUSES", pauses)
    monkeypatch.setattr("handlers.slack.following.PAUSES", pauses)
    monkeypatch.setattr("handlers.slack.following._TAKEN_UP_WITHIN_S", 0.5)
    monkeypatch.setattr("handlers.slack.http_server._STOP_WITHIN_S", 0.3)
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 1.0)


@pytest.fixture
def tasks(temporal: TemporalServer) -> TemporalOptions:
    return a_place_on(temporal)


@asynccontextmanager
async def a_bot_alone(
    place: TemporalOptions, workflow: Workflow, slack: FakeSlack | None = None
) -> AsyncIterator[tuple[Bot, str, Message]]:
    """A bot that hears Slack, with a question that was asked while there still was a worker."""
    async with a_bot(place, [workflow], slack=slack, works=False) as bot:
        async with a_worker(bot, place, workflow):
            run_id = await bot.ask(workflow.name)
            question = await bot.question()
        yield bot, run_id, question


@asynccontextmanager
async def a_worker(bot: Bot, place: TemporalOptions, workflow: Workflow) -> AsyncIterator[None]:
    """Somebody who takes answers and carries runs on."""
    async with a_runner(place, [workflow], [bot.handler]):
        yield


async def told(bot: Bot, text: str, user: str = "U1") -> str:
    """What this person alone was shown and holds the text."""
    return await bot.slack.wait_for(
        lambda: next((said.shown for said in bot.slack.ephemerals("C1", user) if text in said.shown), ""), timeout=20
    )


async def decisions(bot: Bot, run_id: str) -> list[tuple[JsonValue, JsonValue]]:
    """Who decided what in a run, by its history."""
    history = await bot.runner.history(run_id)
    answers = [entry.detail["response"] for entry in history if entry.event == "InterruptAnswered"]
    return [(answer["responder"], answer["option"]) for answer in answers if isinstance(answer, dict)]


async def test_a_click_that_nobody_takes_is_told_so_and_recorded_when_somebody_does(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (bot, run_id, question):
        ack = await bot.slack.click(question, "Approve")

        assert ack.is_acked
        assert "Your answer *Approve* is not recorded yet" in bot.whispered("U1")
        assert has_buttons(bot.now(question))
        async with a_worker(bot, tasks, ask()):
            assert await told(bot, "Your answer *Approve* is recorded now")
            assert "*Approve* by <@U1>" in (await bot.until_closed(question)).text
            assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
            assert await decisions(bot, run_id) == [("slack:T1/U1", "approve")]
        assert len(bot.slack.ephemerals("C1", "U1")) == 2


async def test_a_form_that_nobody_takes_says_so_and_is_recorded_when_somebody_does(tasks: TemporalOptions) -> None:
    workflow = with_form()
    async with a_bot(tasks, [workflow], works=False) as bot:
        async with a_worker(bot, tasks, workflow):
            run_id = await bot.ask("formed")
            await bot.slack.click(await bot.question(), "Change…")
            view = await bot.modal()

        ack = await bot.slack.submit(view, {"field:0": "too many"})

        assert ack.problem is None
        shown = await bot.modal()
        assert "Not recorded yet" in str(shown.view["title"])
        assert "Your answer *Change* is not recorded yet" in shown.shown
        async with a_worker(bot, tasks, workflow):
            assert await told(bot, "Your answer *Change* is recorded now")
            (answered,) = (await bot.finished(run_id)).outputs.values()
    assert isinstance(answered, dict)
    assert isinstance(answered["data"], dict)
    assert answered["data"]["why"] == "too many"


async def test_a_form_is_not_opened_while_nobody_can_take_it(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, with_form()) as (bot, _, question):
        ack = await bot.slack.click(question, "Change…")

        assert ack.is_acked
        assert "The form of *Change* can't be opened at the moment" in bot.whispered("U1")
        assert not bot.slack.views


async def test_somebody_who_changes_their_mind_meanwhile_is_told_that_it_is_too_late(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (bot, run_id, question):
        await bot.slack.click(question, "Approve")

        other = await bot.slack.click(question, "Reject")
        same = await bot.slack.click(question, "Approve")

        assert other.is_acked
        assert same.is_acked
        assert await told(bot, "*Reject* was not taken, because your answer *Approve* is still being recorded")
        assert await told(bot, "Your answer *Approve* is not recorded yet. I am still trying")
        async with a_worker(bot, tasks, ask()):
            assert await told(bot, "*Approve* is recorded now")
            await bot.finished(run_id)
            assert await decisions(bot, run_id) == [("slack:T1/U1", "approve")]


async def test_of_two_people_whom_nobody_takes_one_is_recorded_and_the_other_is_told(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (bot, run_id, question):
        await bot.slack.click(question, "Approve", user="U1")
        await bot.slack.click(question, "Reject", user="U2")

        async with a_worker(bot, tasks, ask()):
            await bot.finished(run_id)
            ((winner, _),) = await decisions(bot, run_id)
            won, lost = ("U1", "U2") if winner == "slack:T1/U1" else ("U2", "U1")
            assert await told(bot, "is recorded now", won)
            assert await told(bot, "Decided already", lost)
    assert not [said for said in bot.slack.ephemerals("C1", lost) if "recorded now" in said.shown]


async def test_a_question_that_ran_out_of_time_meanwhile_is_told(tasks: TemporalOptions) -> None:
    workflow = ask(timeout=timedelta(seconds=3), default_option="reject")
    async with a_bot_alone(tasks, workflow) as (bot, _, question):
        await bot.slack.click(question, "Approve", version=0)
        await asyncio.sleep(3)  # the deadline is Temporal's own

        async with a_worker(bot, tasks, workflow):
            assert "Nobody decided" in await told(bot, "Too late")


async def test_an_answer_is_given_up_in_the_end_and_its_giver_told_directly(
    tasks: TemporalOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.slack.attempts.GIVEN_UP_AFTER_S", 0.0)
    async with a_bot_alone(tasks, ask()) as (bot, run_id, question):
        await bot.slack.click(question, "Approve")

        said = await bot.slack.wait_for(lambda: written(bot, "U1"))

        assert "I could not have your answer *Approve* recorded" in said
        assert "|Go to the question>" in said
        async with a_worker(bot, tasks, ask()):
            await bot.slack.click(question, "Approve")
            assert (await bot.finished(run_id)).status is RunStatus.COMPLETED


async def test_somebody_who_can_be_shown_nothing_any_more_is_written_to(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (bot, _, question):
        await bot.slack.click(question, "Approve")
        for method in ("response_url", "chat.postEphemeral"):
            bot.slack.faults.add(method, Refused("expired_url"), times=None)

        async with a_worker(bot, tasks, ask()):
            assert "recorded now" in await bot.slack.wait_for(lambda: written(bot, "U1"), timeout=20)


async def test_a_bot_that_stops_tells_whose_answers_are_not_recorded(
    tasks: TemporalOptions,
) -> None:
    async with FakeSlack() as slack:
        async with a_bot_alone(tasks, ask(), slack) as (_, _, question):
            await slack.click(question, "Approve")

        said = slack.ephemerals("C1", "U1")[-1].shown

    assert "I could not have your answer *Approve* recorded yet" in said
    assert "please answer again" in said


async def test_a_click_outlives_a_server_that_is_gone_for_a_while(tmp_path: Path) -> None:
    with a_temporal(tmp_path) as server:
        place = a_place_on(server)
        async with a_bot(place, [ask()]) as bot:
            run_id = await bot.ask("ask")
            question = await bot.question()
            server.stop()

            ack = await bot.slack.click(question, "Approve")

            assert ack.is_acked
            assert "is not recorded yet" in bot.whispered("U1")
            server.start()
            assert await told(bot, "is recorded now")
            assert await decisions(bot, run_id) == [("slack:T1/U1", "approve")]


async def test_a_late_click_that_nobody_can_be_told_about_is_not_acked_and_not_recorded_later(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        question = await bot.question()
        go = held(bot, monkeypatch)
        for method in ("response_url", "chat.postEphemeral"):
            bot.slack.faults.add(method, Refused("fatal_error"), times=None)

        ack = await bot.slack.click(question, "Approve")

        assert not ack.is_acked
        said = {(entry.levelname, entry.exc_info) for entry in caplog.records if "not acked" in entry.message}
        assert said == {("WARNING", None)}
        assert not [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
        go.set()
        bot.slack.faults.clear()
        await bot.slack.click(question, "Reject", user="U2")
        await bot.finished(run_id)
        assert await decisions(bot, run_id) == [("slack:T1/U2", "reject")]


async def test_a_slow_store_is_told_too_and_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        question = await bot.question()
        go = held(bot, monkeypatch)

        ack = await bot.slack.click(question, "Approve")

        assert ack.is_acked
        assert "is not recorded yet" in bot.whispered("U1")
        go.set()
        assert await told(bot, "is recorded now")
        assert await decisions(bot, run_id) == [("slack:T1/U1", "approve")]
    assert caplog.messages.count("interrupt answered") == 1


async def test_a_form_filled_in_while_another_answer_is_under_way_keeps_what_was_typed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_bot(place, [with_form()]) as bot:
        await bot.ask("formed")
        question = await bot.question()
        await bot.slack.click(question, "Change…")
        view = await bot.modal()
        go = held(bot, monkeypatch)
        await bot.slack.click(question, "Approve")

        ack = await bot.slack.submit(view, {"field:0": "too many"})

        assert ack.problem is None
        assert "Change was not taken, because your answer Approve" in ack.errors["field:0"]
        assert bot.slack.views
        go.set()
        await told(bot, "*Approve* is recorded now")


async def test_a_click_behind_one_whose_message_changes_slowly_is_told_what_was_decided(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        await bot.ask("ask")
        question = await bot.question()
        slow: Held = bot.slack.faults.hold("chat.update")
        await bot.slack.click(question, "Approve")
        await slow.arrived.wait()

        ack = await bot.slack.click(question, "Reject")

        assert ack.is_acked
        assert await told(bot, "Decided already: ✅ *Approve*")
        slow.release()
        await bot.until_closed(question)


async def test_a_run_that_nobody_takes_up_is_told_to_who_started_it(tasks: TemporalOptions) -> None:
    async with a_bot(tasks, [deploy()], works=False) as bot:
        ack = await bot.command("run deploy env=prod")

        assert "Started run" in ack.text
        assert "nobody has begun with it" in await told(bot, "is stored")
        async with a_worker(bot, tasks, deploy()):
            assert has_buttons(await bot.question())


async def test_questions_are_listed_while_nobody_carries_them_on(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (_, run_id, question), a_bot(tasks, [ask()], works=False) as another:
        await another.command("pending")

        listed = await told(another, run_id)

    assert "1 question waiting" in listed
    assert question.text.splitlines()[0] in listed


async def test_a_cancellation_that_nobody_takes_is_not_said_to_be_done(tasks: TemporalOptions) -> None:
    async with a_bot_alone(tasks, ask()) as (bot, run_id, question):
        await bot.command(f"cancel {run_id}")

        assert "not recorded yet" in await told(bot, "nobody could take it")
        assert has_buttons(bot.now(question))


def written(bot: Bot, user: str) -> str:
    """What was last written to a person directly."""
    channels = [channel.id for channel in bot.slack.workspace.channels.values() if channel.im_user == user]
    return next((message.text for channel in channels for message in bot.slack.messages(channel)), "")


def held(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Have answers wait until this is set."""
    go, answer = asyncio.Event(), bot.runner.answer

    async def slow(interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        await go.wait()
        return await answer(interrupt_id, response)

    monkeypatch.setattr(bot.runner, "answer", slow)
    return go
