"""Payloads reach a real Bolt app over real websockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import ClientSession, WSMsgType
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import DisconnectReason, FakeSlack, NotPossibleError, NotSeenError, Retry, Signature
from tests.unit.testing_kit.blocks import APPROVAL, modal
from tests.unit.testing_kit.test_web_api import error_of


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(mode="socket") as fake:
        yield fake


@pytest.fixture
def bolt(slack: FakeSlack, client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client, signing_secret="unused")


@asynccontextmanager
async def connection(slack: FakeSlack, bolt: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(
        bolt, slack.app_token, web_client=AsyncWebClient(token=slack.app_token, base_url=slack.base_url)
    )
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    try:
        yield handler
    finally:
        closing = handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
        await asyncio.wait_for(closing, 5)


async def test_a_click_goes_down_the_socket_and_its_ack_comes_back(
    slack: FakeSlack, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    @bolt.action("approve")
    async def pressed(ack: AsyncAck, body: dict[str, dict[str, str]]) -> None:
        await ack()
        await client.chat_postMessage(channel="C1", text=f"Approved by {body['user']['id']}")

    async with connection(slack, bolt):
        await slack.connected()
        await client.chat_postMessage(channel="C1", text="Ship?", blocks=APPROVAL)

        ack = await slack.click(slack.messages("C1")[0], "approve", user="U2")

        assert (ack.is_acked, ack.body) == (True, None)
        said = await slack.wait_for(lambda: [m.text for m in slack.messages("C1")][1:])
        assert said == ["Approved by U2"]


async def test_a_command_and_a_submission_are_answered_in_the_ack(
    slack: FakeSlack, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    @bolt.command("/spectra")
    async def typed(ack: AsyncAck, body: dict[str, str], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal(callback_id="modify"))
        await ack(f"You said {body['text']}")

    @bolt.view("modify")
    async def submitted(ack: AsyncAck) -> None:
        await ack(response_action="errors", errors={"notes": "Say why"})

    async with connection(slack, bolt):
        await slack.connected()

        typed_ack = await slack.command("/spectra", "run")
        submitted_ack = await slack.submit(slack.views["U1"][-1], {"notes": "x"})

    assert typed_ack.text == "You said run"
    assert [said.text for said in slack.ephemerals("C1", "U1")] == ["You said run"]
    assert submitted_ack.errors == {"notes": "Say why"}


async def test_each_payload_goes_to_one_connection(slack: FakeSlack, client: AsyncWebClient, bolt: AsyncApp) -> None:
    heard: list[str] = []

    def typed_at(name: str) -> AsyncApp:
        app = AsyncApp(client=client, signing_secret="unused")

        @app.command("/spectra")
        async def typed(ack: AsyncAck) -> None:
            heard.append(name)
            await ack()

        return app

    async with connection(slack, typed_at("one")), connection(slack, typed_at("two")):
        await slack.connected(2)
        for _ in range(4):
            await slack.command("/spectra", "list")

    assert sorted(heard) == ["one", "one", "two", "two"]


@pytest.mark.parametrize("reason", [DisconnectReason.WARNING, DisconnectReason.REFRESH_REQUESTED])
async def test_the_app_connects_anew_when_it_is_told(
    slack: FakeSlack, bolt: AsyncApp, reason: DisconnectReason
) -> None:
    @bolt.command("/spectra")
    async def typed(ack: AsyncAck) -> None:
        await ack("Here")

    async with connection(slack, bolt):
        await slack.connected()

        await slack.disconnect(reason)

        await slack.connected()
        assert slack.sockets.opened == 2
        assert (await slack.command("/spectra", "list")).text == "Here"


async def test_an_event_says_which_delivery_it_is(slack: FakeSlack, bolt: AsyncApp) -> None:
    heard: list[object] = []

    @bolt.event("app_home_opened")
    async def opened(request: AsyncBoltRequest) -> None:
        heard.append(request.headers.get("x-slack-retry-num"))

    async with connection(slack, bolt):
        await slack.connected()
        ack = await slack.event({"type": "app_home_opened", "user": "U1"})
        await slack.redeliver(ack, Retry(number=1))

    assert heard == [["0"], ["1"]]


async def test_an_app_that_fails_before_its_ack_has_not_acked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeSlack(mode="socket", ack_within_s=0.2) as impatient:
        client = AsyncWebClient(token=impatient.bot_token, base_url=impatient.base_url)
        bolt = AsyncApp(client=client, signing_secret="unused")

        @bolt.command("/spectra")
        async def typed(ack: AsyncAck) -> None:
            raise ValueError("before the ack")

        async with connection(impatient, bolt):
            await impatient.connected()

            ack = await impatient.command("/spectra", "list")

    assert (ack.status, ack.problem) == (None, "not acknowledged in time")
    assert "before the ack" in caplog.text


async def test_without_a_connection_nothing_is_acked(slack: FakeSlack) -> None:
    ack = await slack.command("/spectra", "list")

    assert not ack.is_acked


async def test_a_test_that_waits_for_a_connection_in_vain_is_told(slack: FakeSlack) -> None:
    with pytest.raises(NotSeenError, match="sockets   0"):
        await slack.connected(timeout=0.01)


async def test_there_is_no_signature_to_forge(slack: FakeSlack) -> None:
    with pytest.raises(NotPossibleError, match="no signatures"):
        await slack.command("/spectra", "list", signature=Signature.FORGED)


async def test_a_socket_needs_an_app_token(slack: FakeSlack, session: ClientSession) -> None:
    errors = []
    for token in (slack.bot_token, "xapp-wrong"):
        client = AsyncWebClient(base_url=slack.base_url, session=session)
        with pytest.raises(SlackApiError) as failure:
            await client.apps_connections_open(app_token=token)
        errors.append(error_of(failure))

    assert errors == ["not_allowed_token_type", "invalid_auth"]


async def test_a_ticket_lets_one_connection_in_and_the_hello_counts(slack: FakeSlack, session: ClientSession) -> None:
    client = AsyncWebClient(base_url=slack.base_url, session=session)
    url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    async with session.ws_connect(url) as socket:
        hello = await socket.receive_json(timeout=5)

        async with session.get(url) as again:
            status = again.status

    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert status == 408


async def test_an_eleventh_connection_is_one_too_many(slack: FakeSlack, session: ClientSession) -> None:
    client = AsyncWebClient(base_url=slack.base_url, session=session)
    async with AsyncExitStack() as stack:
        for _ in range(11):
            url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
            socket = await stack.enter_async_context(session.ws_connect(url))
            message = await socket.receive_json(timeout=5)
        closing = await socket.receive(timeout=5)

        assert (message["type"], message["reason"]) == ("disconnect", "too_many_websockets")
        assert closing.type is WSMsgType.CLOSE
        assert slack.sockets.connections == 10
