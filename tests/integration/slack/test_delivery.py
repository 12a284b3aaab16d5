"""A question reaches its channel, or its starter is told why it does not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from handlers.slack import DeliveryError
from spectra_bot import InterruptResponse, InterruptStatus, InvalidWordError, RunStatus
from spectra_bot.testing import Channel, Dropped, FakeSlack, Message, RateLimited, Refused, ServerError
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons
from tests.integration.slack.workflows import ask, deploy


def told(bot: Bot, user: str = "U1") -> list[Message]:
    """What the bot wrote to a person directly."""
    channels = [channel.id for channel in bot.slack.workspace.channels.values() if channel.im_user == user]
    return [message for channel in channels for message in bot.slack.messages(channel)]


async def test_a_question_goes_to_the_requests_channel_before_any_other(tmp_path: Path) -> None:
    slack = FakeSlack(channels=[Channel(id="C1", name="general"), Channel(id="C2", name="ops")])
    async with slack, a_bot(tmp_path / "s.db", [ask(channel="C2")], slack=slack, default_channel="C1") as bot:
        await bot.ask("ask", channel="C1")

        assert await bot.question("C2")
        assert not bot.questions("C1")


async def test_a_question_without_a_channel_goes_to_the_settings(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()], default_channel="C1") as bot:
        await bot.ask("ask", channel=None)

        message = await bot.question("C1")

        assert message.metadata == {
            "event_type": "spectra_interrupt",
            "event_payload": {"interrupt_id": (await bot.runner.list_pending())[0].id},
        }


async def test_without_any_channel_the_starter_is_told_which_setting_is_missing(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask", channel=None)

        (message,) = await bot.slack.wait_for(lambda: told(bot))

        assert "SPECTRA_CHANNEL" in message.text
        assert run_id in message.text
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED


@pytest.mark.parametrize(
    ("channel", "advice"),
    [
        (Channel(id="C2", name="ops", has_bot=False), "invite it there with /invite"),
        (Channel(id="C2", name="ops", is_private=True, has_bot=False), "private and the bot is not in it"),
        (Channel(id="C2", name="ops", is_archived=True), "is archived"),
    ],
)
async def test_a_channel_that_is_closed_to_the_bot_is_told_to_the_starter(
    tmp_path: Path, channel: Channel, advice: str
) -> None:
    async with a_bot(tmp_path / "s.db", [ask(channel="C2")]) as bot:
        bot.slack.add_channel(channel)
        run_id = await bot.ask("ask")

        (message,) = await bot.slack.wait_for(lambda: told(bot))

        assert advice in message.text
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED


async def test_the_starter_is_told_once_and_the_question_comes_when_the_bot_is_invited(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask(channel="C2")]) as bot:
        bot.slack.add_channel(Channel(id="C2", name="ops", has_bot=False))
        await bot.ask("ask")
        await bot.slack.wait_for(lambda: len(bot.slack.calls("chat.postMessage")) >= 3)
        bot.slack.add_channel(Channel(id="C2", name="ops"))

        await bot.question("C2")

        assert len(told(bot)) == 1


async def test_a_missing_scope_is_told_by_its_name(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    slack = FakeSlack(scopes=["commands"])
    async with slack, a_bot(place, [ask()], slack=slack) as bot:
        run_id = await bot.ask("ask")

        (record,) = (await bot.runner.get(run_id)).interrupts

        assert "lacks the scope chat:write" in str(record.deliveries[0].last_error)
    assert "starter not told" in caplog.messages


@pytest.mark.parametrize("fault", [RateLimited(retry_after=1), ServerError(status=503), Dropped()])
async def test_what_passes_by_itself_is_tried_again(
    tmp_path: Path, fault: RateLimited | ServerError | Dropped, quick_outbox: None
) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        bot.slack.faults.add("chat.postMessage", fault)

        await bot.ask("ask")

        assert has_buttons(await bot.question())
        assert not told(bot)


async def test_a_run_does_not_fail_because_slack_is_down(tmp_path: Path, quick_outbox: None) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        bot.slack.faults.add("chat.postMessage", ServerError(), times=3)

        run_id = await bot.ask("ask")

        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(await bot.question())


async def test_a_message_that_slack_finds_too_long_is_posted_without_its_data(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        bot.slack.faults.add("chat.postMessage", Refused("msg_blocks_too_long"))

        await bot.ask("ask")

        message = await bot.question()
        assert has_buttons(message)
        assert "Slack could not show the data" in message.shown


async def test_a_deadline_closes_the_message(place: Place) -> None:
    workflow = ask(timeout=timedelta(seconds=2), default_option="reject")
    async with a_bot(place, [workflow]) as bot:
        await bot.ask("ask")
        message = await bot.question()

        closed = await bot.until_closed(message)

        assert "*Nobody decided*" in closed.text
        assert "*Reject* applied by itself" in closed.text
        await bot.slack.click(message, "Approve", version=0)
        assert "Too late" in await bot.slack.wait_for(lambda: bot.whispered("U1"))


async def test_a_deleted_message_does_not_keep_the_run_from_going_on(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        bot.slack.remove(message)

        ack = await bot.slack.click(message, "Approve")

        assert ack.is_acked
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED


async def test_a_question_that_is_answered_in_the_middle_of_its_post_is_closed(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        held = bot.slack.faults.hold("chat.postMessage", after_work=True)
        run_id = await bot.runner.start("ask", {}, channel="C1")
        await held.arrived.wait()
        request = await bot.pending(run_id)
        await bot.runner.answer(
            request.id, InterruptResponse(status=InterruptStatus.APPROVED, responder="cli:ada", option="approve")
        )
        assert has_buttons(await bot.question())

        held.release()

        assert "ada (command line)" in (await bot.until_closed(await bot.question())).text
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED


async def test_a_new_process_settles_what_the_old_one_asked(place: Place) -> None:
    async with FakeSlack() as slack:
        async with a_bot(place, [deploy()], slack=slack) as bot:
            await bot.command("run deploy env=prod")
            message = await bot.question()
        async with a_bot(place, [deploy()], slack=slack) as bot:
            await slack.click(message, "Approve", user="U2")

            closed = await bot.until_closed(message)

            assert "*Approve* by <@U2>" in closed.text
            assert len(bot.questions()) == 1
            assert len(await slack.wait_for(lambda: slack.thread(message.channel, message.ts))) == 1


async def test_a_long_rate_limit_is_said_to_who_delivers_and_who_looks(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        request = await bot.pending(run_id)
        [delivery] = (await bot.runner.get(run_id)).interrupts[0].deliveries
        assert delivery.receipt is not None
        for method in ("chat.postMessage", "chat.getPermalink"):
            bot.slack.faults.add(method, RateLimited(retry_after=600), times=None)

        with pytest.raises(DeliveryError) as of_the_post:
            await bot.handler.handle(request)
        with pytest.raises(DeliveryError) as of_the_look:
            await bot.handler.stands(request, delivery.receipt)

        assert (of_the_post.value.retry_after_s, of_the_look.value.retry_after_s) == (600, 600)


async def test_a_question_of_the_longest_run_id_is_asked_and_answered(place: Place) -> None:
    run_id = "😀" * 250
    async with a_bot(place, [ask(options=("approve", "modify"))]) as bot:
        with pytest.raises(InvalidWordError, match="it has 251 characters, and may have 250"):
            await bot.runner.start("ask", {}, run_id=f"{run_id}x")
        await bot.runner.run("ask", {}, channel="C1", run_id=run_id)
        await bot.slack.click(await bot.question(), "Modify…")

        ack = await bot.slack.submit(await bot.modal(), {"field:0": "two are enough"})

        assert ack.problem is None
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
