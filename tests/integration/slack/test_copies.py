"""A question that stands twice works like one, and is not posted twice where the bot may look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spectra_bot import RunStatus
from spectra_bot.testing import (
    MANIFEST_SCOPES,
    Channel,
    Dropped,
    FakeSlack,
    Installation,
    Message,
    RateLimited,
    ServerError,
)
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons
from tests.integration.slack.workflows import ask

READING = MANIFEST_SCOPES | {"channels:history", "groups:history"}
CHANNELS = [Channel(id="C1", name="general"), Channel(id="C2", name="ops", is_private=True)]
LEAVES_A_COPY = pytest.mark.parametrize("fault", [ServerError(status=503, after_work=True), Dropped(after_work=True)])

pytestmark = pytest.mark.usefixtures("quick_outbox")


@asynccontextmanager
async def bot_that_reads(place: Place, scopes: Iterable[str] = READING) -> AsyncIterator[Bot]:
    slack = FakeSlack(scopes=scopes, channels=CHANNELS)
    async with slack, a_bot(place, [ask()], slack=slack) as bot:
        yield bot


async def both(bot: Bot) -> tuple[Message, Message]:
    """The copy that nobody knows of, and the message whose place is stored."""
    await bot.slack.wait_for(lambda: len(bot.questions()) == 2)
    copy, known = bot.questions()
    return copy, known


@LEAVES_A_COPY
async def test_the_copy_may_be_the_one_that_is_clicked(place: Place, fault: ServerError | Dropped) -> None:
    async with a_bot(place, [ask()]) as bot:
        bot.slack.faults.add("chat.postMessage", fault)
        run_id = await bot.ask("ask")
        copy, known = await both(bot)

        await bot.slack.click(copy, "Approve", user="U1")

        assert "*Approve* by <@U1>" in (await bot.until_closed(copy)).text
        assert "*Approve* by <@U1>" in (await bot.until_closed(known)).text
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED


@LEAVES_A_COPY
async def test_the_copy_is_closed_by_a_late_click_that_is_told_who_decided(
    tmp_path: Path, fault: ServerError | Dropped
) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        bot.slack.faults.add("chat.postMessage", fault)
        await bot.ask("ask")
        copy, known = await both(bot)
        await bot.slack.click(known, "Approve", user="U1")
        await bot.until_closed(known)
        assert has_buttons(bot.now(copy))  # nobody knows where it stands until somebody presses it

        await bot.slack.click(copy, "Reject", user="U2")

        assert "*Approve* by <@U1>" in (await bot.until_closed(copy)).text
        assert "Decided already" in await bot.slack.wait_for(lambda: bot.whispered("U2"))


@LEAVES_A_COPY
async def test_the_form_of_a_copy_answers_and_closes_both(tmp_path: Path, fault: ServerError | Dropped) -> None:
    async with a_bot(tmp_path / "s.db", [ask(options=("approve", "modify"))]) as bot:
        bot.slack.faults.add("chat.postMessage", fault)
        run_id = await bot.ask("ask")
        copy, known = await both(bot)
        await bot.slack.click(copy, "Modify…")

        await bot.slack.submit(await bot.modal(), {"field:0": "two are enough"})

        assert "*Modify* by <@U1>" in (await bot.until_closed(copy)).text
        assert "*Modify* by <@U1>" in (await bot.until_closed(known)).text
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED


async def test_the_form_of_a_copy_comes_too_late_and_the_copy_is_closed(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask(options=("approve", "modify"))]) as bot:
        bot.slack.faults.add("chat.postMessage", ServerError(after_work=True))
        await bot.ask("ask")
        copy, known = await both(bot)
        await bot.slack.click(copy, "Modify…", user="U2")
        form = await bot.modal("U2")
        await bot.slack.click(known, "Approve", user="U1")
        await bot.until_closed(known)

        await bot.slack.submit(form, {"field:0": "two are enough"})

        assert "*Approve* by <@U1>" in (await bot.until_closed(copy)).text
        assert "Decided already" in (await bot.modal("U2")).shown


async def test_a_failed_post_that_left_nothing_is_posted_once(tmp_path: Path) -> None:
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.faults.add("chat.postMessage", ServerError())

        await bot.ask("ask")

        await bot.question()
        assert len(bot.questions()) == 1


@LEAVES_A_COPY
@pytest.mark.parametrize("channel", ["C1", "C2"])
async def test_a_bot_that_may_look_finds_its_message_and_posts_no_second(
    tmp_path: Path, fault: ServerError | Dropped, channel: str
) -> None:
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.faults.add("chat.postMessage", fault)
        run_id = await bot.ask("ask", channel=channel)
        await bot.slack.wait_for(lambda: bot.slack.calls("conversations.history"))
        message = await bot.question(channel)

        await bot.slack.click(message, "Approve")

        await bot.until_closed(message)
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        [record] = (await bot.runner.get(run_id)).interrupts
        assert record.deliveries[0].receipt == {"channel": channel, "ts": message.ts}
        assert len(bot.questions(channel)) == 1


async def test_the_message_is_found_behind_many_others(tmp_path: Path) -> None:
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.faults.add("chat.postMessage", ServerError(after_work=True))
        held = bot.slack.faults.hold("conversations.history")
        run_id = await bot.ask("ask")
        await held.arrived.wait()
        for number in range(450):
            bot.slack.workspace.post(channel="C1", text=str(number))
        [message] = bot.questions()

        held.release()

        await bot.slack.wait_for(lambda: len(bot.slack.calls("conversations.history")) >= 3)
        await bot.slack.click(message, "Approve")
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        assert len(bot.questions()) == 1


async def test_a_message_that_somebody_else_marked_is_not_believed(tmp_path: Path) -> None:
    other = Installation(token="xoxb-other", app_id="A9", bot_id="B9", bot_user_id="U9")
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.add_installation(other)
        bot.slack.faults.add("chat.postMessage", ServerError())
        held = bot.slack.faults.hold("conversations.history")
        run_id = await bot.ask("ask")
        await held.arrived.wait()
        request = await bot.pending(run_id)
        forged = bot.slack.workspace.post(
            channel="C1",
            text="forged",
            by=other,
            metadata={"event_type": "spectra_interrupt", "event_payload": {"interrupt_id": request.id}},
        )

        held.release()

        await bot.slack.wait_for(lambda: len(bot.questions()) == 2)
        [genuine] = [message for message in bot.questions() if message.ts != forged.ts]
        await bot.slack.click(genuine, "Approve")
        await bot.until_closed(genuine)
        assert bot.now(forged).text == "forged"


async def test_a_bot_that_may_not_look_posts_a_second_and_asks_for_no_history_again(tmp_path: Path) -> None:
    async with bot_that_reads(tmp_path / "s.db", MANIFEST_SCOPES | {"channels:history"}) as bot:
        bot.slack.faults.add("chat.postMessage", ServerError(after_work=True))
        await bot.ask("ask", channel="C2")
        await bot.slack.wait_for(lambda: len(bot.questions("C2")) == 2)
        bot.slack.faults.add("chat.postMessage", ServerError(after_work=True))

        await bot.ask("ask", channel="C2")

        await bot.slack.wait_for(lambda: len(bot.questions("C2")) == 4)
        assert [call.error for call in bot.slack.calls("conversations.history")] == ["missing_scope"]


async def test_a_look_that_is_limited_for_long_does_not_hold_up_the_question(tmp_path: Path) -> None:
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.faults.add("chat.postMessage", ServerError())
        bot.slack.faults.add("conversations.history", RateLimited(retry_after=60), times=None)

        await bot.ask("ask")

        assert has_buttons(await bot.question())


async def test_a_look_that_fails_is_tried_again_before_anything_is_posted(tmp_path: Path) -> None:
    async with bot_that_reads(tmp_path / "s.db") as bot:
        bot.slack.faults.add("chat.postMessage", ServerError(after_work=True))
        bot.slack.faults.add("conversations.history", ServerError(), times=4)  # the client gives up after three

        await bot.ask("ask")

        await bot.slack.wait_for(lambda: len(bot.slack.calls("conversations.history")) == 5)
        assert len(bot.slack.calls("chat.postMessage")) == 1
        assert len(bot.questions()) == 1
