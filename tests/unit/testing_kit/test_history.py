"""The fake tells what stands in a channel to an app that may read it, as Slack does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import MANIFEST_SCOPES, Channel, FakeSlack, Installation
from tests.unit.testing_kit.test_web_api import error_of

CHANNELS = [
    Channel(id="C1", name="general"),
    Channel(id="C2", name="private", is_private=True),
    Channel(id="C3", name="elsewhere", has_bot=False),
    Channel(id="C4", name="theirs", is_private=True, has_bot=False),
]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(channels=CHANNELS, scopes=MANIFEST_SCOPES | {"channels:history"}) as fake:
        yield fake


async def texts(client: AsyncWebClient, **arguments: Any) -> list[str]:
    answer = await client.conversations_history(channel="C1", **arguments)
    return [message["text"] for message in answer["messages"]]


async def test_the_newest_message_comes_first_and_threads_are_left_out(client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C1", text="Root"))["ts"]
    await client.chat_postMessage(channel="C1", text="Reply", thread_ts=root)
    await client.chat_postMessage(channel="C1", text="Seen by all", thread_ts=root, reply_broadcast=True)
    deleted = (await client.chat_postMessage(channel="C1", text="Deleted"))["ts"]
    await client.chat_delete(channel="C1", ts=deleted)

    assert await texts(client) == ["Seen by all", "Root"]


async def test_pages_follow_each_other_by_their_cursor(client: AsyncWebClient) -> None:
    for number in range(5):
        await client.chat_postMessage(channel="C1", text=str(number))

    first = await client.conversations_history(channel="C1", limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel="C1", limit=2, cursor=cursor)
    last = await client.conversations_history(channel="C1", limit=2, cursor=second["response_metadata"]["next_cursor"])

    assert [message["text"] for page in (first, second, last) for message in page["messages"]] == list("43210")
    assert [page["has_more"] for page in (first, second, last)] == [True, True, False]


async def test_oldest_and_latest_leave_themselves_out_unless_told(client: AsyncWebClient) -> None:
    old, middle, new = [(await client.chat_postMessage(channel="C1", text=text))["ts"] for text in "abc"]

    assert await texts(client, oldest=old, latest=new) == ["b"]
    assert await texts(client, oldest=middle) == ["c"]
    assert await texts(client, oldest=old, latest=new, inclusive=True) == ["c", "b", "a"]


async def test_metadata_is_told_to_whoever_asks_for_it(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.add_installation(Installation(token="xoxb-other", app_id="A9", bot_id="B9", bot_user_id="U9"))
    metadata = Metadata(event_type="asked", event_payload={"run_id": "r-1"})
    await client.chat_postMessage(channel="C1", text="Ship?", metadata=metadata, token="xoxb-other")

    [without] = (await client.conversations_history(channel="C1"))["messages"]
    [with_it] = (await client.conversations_history(channel="C1", include_all_metadata=True))["messages"]

    assert "metadata" not in without
    assert with_it["metadata"] == {"event_type": "asked", "event_payload": {"run_id": "r-1"}}
    assert (with_it["bot_id"], with_it["app_id"]) == ("B9", "A9")


@pytest.mark.parametrize(
    ("channel", "refusal"),
    [
        ("C2", "missing_scope"),
        ("C3", "not_in_channel"),
        ("C4", "channel_not_found"),
        ("#general", "channel_not_found"),
    ],
)
async def test_a_channel_that_the_app_may_not_read_is_refused(
    client: AsyncWebClient, channel: str, refusal: str
) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.conversations_history(channel=channel)

    assert error_of(failure) == refusal


async def test_the_missing_scope_is_that_of_the_channels_kind(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.conversations_history(channel="C2")

    assert failure.value.response["needed"] == "groups:history"


async def test_an_app_that_is_sold_elsewhere_gets_fifteen_at_a_time(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.add_installation(
        Installation(
            token="xoxb-sold",
            app_id="A9",
            bot_id="B9",
            bot_user_id="U9",
            scopes=frozenset({"channels:history"}),
            history_limit=15,
        )
    )
    for number in range(20):
        await client.chat_postMessage(channel="C1", text=str(number))

    page = await client.conversations_history(channel="C1", limit=200, token="xoxb-sold")

    assert len(page["messages"]) == 15
    assert page["has_more"]


async def test_a_held_answer_is_late_and_its_work_is_done(slack: FakeSlack, client: AsyncWebClient) -> None:
    held = slack.faults.hold("chat.postMessage", after_work=True)

    posting = asyncio.create_task(client.chat_postMessage(channel="C1", text="Ship?"))
    await held.arrived.wait()
    stood = [message.text for message in slack.messages("C1")]
    was_answered = posting.done()
    held.release()

    assert (await posting)["ok"]
    assert stood == ["Ship?"]
    assert not was_answered


async def test_a_message_that_somebody_removed_is_not_found(slack: FakeSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="Ship?"))["ts"]

    slack.remove(slack.message("C1", ts))

    with pytest.raises(SlackApiError) as failure:
        await client.chat_getPermalink(channel="C1", message_ts=ts)
    assert error_of(failure) == "message_not_found"


async def test_a_link_into_a_private_channel_is_for_those_in_it(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = slack.workspace.post(channel="C4", text="Ship?")

    with pytest.raises(SlackApiError) as failure:
        await client.chat_getPermalink(channel="C4", message_ts=message.ts)

    assert error_of(failure) == "channel_not_found"
