"""A question whose message somebody removed stands in its channel again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from spectra_bot import DeliveryRecord, RunStatus
from spectra_bot.testing import MANIFEST_SCOPES, Channel, FakeSlack, Held, RateLimited, ServerError
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons
from tests.integration.slack.workflows import ask

pytestmark = pytest.mark.usefixtures("quick_outbox")


async def looked(bot: Bot, times: int = 2) -> None:
    """Return when the bot has looked so many times more whether its messages stand."""
    before = len(bot.slack.calls("chat.getPermalink"))
    await bot.slack.wait_for(lambda: len(bot.slack.calls("chat.getPermalink")) >= before + times)


async def delivery(bot: Bot, run_id: str, ready: Callable[[DeliveryRecord], object]) -> DeliveryRecord:
    """The one delivery of a run, once something is so."""
    async with asyncio.timeout(10):
        while True:
            [found] = (await bot.runner.get(run_id)).interrupts[0].deliveries
            if ready(found):
                return found


async def test_a_message_that_is_removed_is_posted_again_and_says_so(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        removed = await bot.question()

        bot.slack.remove(removed)

        again = await bot.question()
        assert has_buttons(again)
        assert "the earlier message was removed" in again.text
        assert "the earlier message was removed" in again.shown.removeprefix(again.text)
        found = await delivery(bot, run_id, lambda known: known.delivered_at)
        assert found.receipt == {"channel": "C1", "ts": again.ts}
        assert found.lost == 1


async def test_the_message_that_was_posted_again_takes_the_answer(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        bot.slack.remove(await bot.question())
        again = await bot.question()

        await bot.slack.click(again, "Approve", user="U2")

        closed = await bot.until_closed(again)
        assert "*Approve* by <@U2>" in closed.text
        assert "removed" not in closed.shown
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        await bot.slack.wait_for(lambda: bot.slack.thread("C1", again.ts))


async def test_a_click_on_the_picture_of_the_removed_message_closes_the_new_one(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        await bot.ask("ask")
        removed = await bot.question()
        bot.slack.remove(removed)
        again = await bot.question()

        await bot.slack.click(removed, "Approve", user="U2")

        assert "*Approve* by <@U2>" in (await bot.until_closed(again)).text


async def test_a_message_is_posted_again_as_often_as_it_is_removed(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        for _ in range(3):
            bot.slack.remove(await bot.question())

        await bot.question()

        assert (await delivery(bot, run_id, lambda known: known.delivered_at)).lost == 3


async def test_a_message_of_a_question_that_is_over_stays_removed(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        over = await bot.question()
        await bot.slack.click(over, "Approve")
        await bot.until_closed(over)
        await bot.finished(run_id)
        await bot.ask("ask")
        bot.slack.remove(over)

        await looked(bot, 3)

        assert all(call.arguments["message_ts"] != over.ts for call in bot.slack.calls("chat.getPermalink")[-2:])
        assert len(bot.questions()) == 1


@pytest.mark.parametrize(
    ("closed", "advice"),
    [
        (Channel(id="C2", name="ops", is_private=True, has_bot=False), "invite the bot there"),
        (None, "channel C2 is not there"),
    ],
    ids=["bot removed from it", "deleted"],
)
async def test_a_channel_that_was_closed_to_the_bot_is_told_and_looked_at_again(
    tmp_path: Path, closed: Channel | None, advice: str
) -> None:
    slack = FakeSlack(channels=[Channel(id="C1", name="general"), Channel(id="C2", name="ops", is_private=True)])
    async with slack, a_bot(tmp_path / "s.db", [ask(channel="C2")], slack=slack) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question("C2")
        posts = len(slack.calls("chat.postMessage"))
        if closed is None:
            del slack.workspace.channels["C2"]
        else:
            slack.add_channel(closed)

        failing = await delivery(bot, run_id, lambda known: known.last_error)

        assert advice in str(failing.last_error)
        assert failing.next_attempt_at is not None
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        slack.add_channel(Channel(id="C2", name="ops", is_private=True))
        fine = await delivery(bot, run_id, lambda known: not known.last_error)
        assert fine.receipt == {"channel": "C2", "ts": message.ts}
        assert len(slack.calls("chat.postMessage")) == posts


async def test_a_message_in_an_archived_channel_still_stands(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        bot.slack.add_channel(Channel(id="C1", name="general", is_archived=True))

        await looked(bot)

        assert (await delivery(bot, run_id, lambda known: known.delivered_at)).lost == 0


async def test_a_slack_that_is_away_removes_nothing(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        bot.slack.faults.add("chat.getPermalink", ServerError(), times=6)

        failing = await delivery(bot, run_id, lambda known: known.last_error)

        assert "HTTP 500" in str(failing.last_error)
        assert (await delivery(bot, run_id, lambda known: not known.last_error)).lost == 0
        assert bot.questions() == [message]


async def test_a_rate_limit_is_waited_for(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        await bot.ask("ask")
        bot.slack.faults.add("chat.getPermalink", RateLimited(retry_after=2))
        removed = await bot.question()
        bot.slack.remove(removed)

        again = await bot.question()

        assert again.ts != removed.ts
        assert {call.status for call in bot.slack.calls("chat.getPermalink")} == {200, 429}


async def test_a_bot_that_stops_in_the_middle_of_a_look_stops_at_once(tmp_path: Path) -> None:
    async with FakeSlack() as slack, asyncio.timeout(10), a_bot(tmp_path / "s.db", [ask()], slack=slack) as bot:
        held: Held = slack.faults.hold("chat.getPermalink")
        await bot.ask("ask")
        await held.arrived.wait()


async def test_a_copy_that_still_stands_takes_the_place_of_the_removed_message(tmp_path: Path) -> None:
    slack = FakeSlack(scopes=MANIFEST_SCOPES | {"channels:history"})
    async with slack, a_bot(tmp_path / "s.db", [ask()], slack=slack) as bot:
        await bot.ask("ask")
        removed = await bot.question()
        copy = slack.workspace.post(channel="C1", text=removed.text, blocks=removed.blocks, metadata=removed.metadata)

        slack.remove(removed)

        await slack.wait_for(lambda: slack.calls("conversations.history"))
        await slack.click(copy, "Approve")
        await bot.until_closed(copy)
        assert [message.ts for message in bot.questions()] == [copy.ts]
