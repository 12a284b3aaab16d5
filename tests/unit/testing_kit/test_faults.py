"""Each fault does to a call what its name says, as often as it was planned."""

import asyncio

import aiohttp
import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import Delayed, Dropped, FakeSlack, RateLimited, Refused, ServerError
from spectra_bot.testing.faults import Fault
from tests.unit.testing_kit.test_web_api import error_of


async def post(client: AsyncWebClient, text: str = "Ship?") -> None:
    await client.chat_postMessage(channel="C1", text=text)


async def test_a_rate_limit_says_when_to_come_back(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.faults.add("chat.postMessage", RateLimited(retry_after=7))

    with pytest.raises(SlackApiError) as failure:
        await post(client)

    assert failure.value.response.status_code == 429
    assert failure.value.response.headers["Retry-After"] == "7"
    assert error_of(failure) == "ratelimited"
    assert slack.messages("C1") == []


async def test_a_fault_is_used_up(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.faults.add("chat.postMessage", RateLimited(), times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError):
            await post(client)

    await post(client)

    assert slack.faults.left("chat.postMessage") == 0
    assert [call.status for call in slack.calls("chat.postMessage")] == [429, 429, 200]
    assert [call.fault for call in slack.calls("chat.postMessage")] == ["RateLimited", "RateLimited", None]


async def test_a_fault_meets_its_method_only(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.faults.add("chat.update", ServerError())

    await post(client)

    assert slack.faults.left("chat.update") == 1


async def test_faults_come_in_the_order_in_which_they_were_added(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.faults.add("*", ServerError(status=503))
    slack.faults.add("chat.postMessage", RateLimited())
    slack.faults.add("chat.postMessage", Refused("fatal_error"))
    for _ in range(3):
        with pytest.raises(SlackApiError):
            await post(client)

    assert [call.status for call in slack.calls()] == [429, 200, 503]


async def test_a_fault_without_end_lasts_until_it_is_cleared(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.faults.add("chat.postMessage", ServerError(), times=None)
    for _ in range(3):
        with pytest.raises(SlackApiError):
            await post(client)
    slack.faults.clear("chat.postMessage")

    await post(client)

    assert len(slack.messages("C1")) == 1


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        (ServerError(), 0),
        (ServerError(status=503, after_work=True), 1),
        (Dropped(), 0),
        (Dropped(after_work=True), 1),
        (Refused("token_revoked"), 0),
    ],
    ids=["5xx", "5xx after", "dropped", "dropped after", "refused"],
)
async def test_a_failed_call_may_have_left_a_message_behind(
    slack: FakeSlack, client: AsyncWebClient, fault: Fault, stored: int
) -> None:
    slack.faults.add("chat.postMessage", fault)

    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await post(client)

    assert len(slack.messages("C1")) == stored
    [call] = slack.calls()
    assert call.did_work == bool(stored)


async def test_a_dropped_call_has_no_answer_and_a_broken_one_has_its_status(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    slack.faults.add("chat.postMessage", Dropped())
    slack.faults.add("chat.postMessage", ServerError(status=502))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(client)
    with pytest.raises(SlackApiError) as failure:
        await post(client)

    assert failure.value.response.status_code == 502
    assert [call.status for call in slack.calls()] == [None, 502]


async def test_the_clients_own_retry_posts_twice_when_the_answer_was_lost(
    slack: FakeSlack, session: ClientSession
) -> None:
    at_once = FixedValueRetryIntervalCalculator(0)
    retry = AsyncConnectionErrorRetryHandler(interval_calculator=at_once)
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.base_url, session=session, retry_handlers=[retry])
    slack.faults.add("chat.postMessage", Dropped(after_work=True))

    await post(client)

    assert [message.text for message in slack.messages("C1")] == ["Ship?", "Ship?"]


async def test_a_held_call_waits_for_the_test(slack: FakeSlack, client: AsyncWebClient) -> None:
    held = slack.faults.hold("chat.postMessage")
    posting = asyncio.create_task(post(client))
    await asyncio.wait_for(held.arrived.wait(), 5)
    before = slack.messages("C1")

    held.release()
    await posting

    assert before == []
    assert len(slack.messages("C1")) == 1


async def test_a_delayed_call_is_worked_on_later(slack: FakeSlack, client: AsyncWebClient) -> None:
    loop = asyncio.get_running_loop()
    slack.faults.add("chat.postMessage", Delayed(0.05))
    started = loop.time()

    await post(client)

    assert loop.time() - started >= 0.05
    assert len(slack.messages("C1")) == 1


async def test_a_fault_happens_at_least_once(slack: FakeSlack) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        slack.faults.add("chat.postMessage", RateLimited(), times=0)
