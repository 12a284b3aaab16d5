"""Payloads reach a real Bolt app over signed HTTP, as Slack builds them."""

import asyncio

import pytest
from aiohttp import ClientSession
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from spectra_bot.testing import FakeSlack, Message, NotPossibleError, Retry, Signature
from tests.unit.testing_kit.blocks import APPROVAL, actions, button, section, select
from tests.unit.testing_kit.conftest import MovableTime

Body = dict[str, object]


async def asked(slack: FakeSlack, client: AsyncWebClient) -> Message:
    await client.chat_postMessage(channel="C1", text="Ship?", blocks=APPROVAL)
    return slack.messages("C1")[-1]


def hear_clicks(app: AsyncApp, *action_ids: str) -> list[Body]:
    heard: list[Body] = []

    async def pressed(ack: AsyncAck, body: Body) -> None:
        heard.append(body)
        await ack()

    for action_id in action_ids:
        app.action(action_id)(pressed)
    return heard


async def test_a_click_arrives_as_slack_builds_it(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    heard = hear_clicks(app, "approve")
    message = await asked(slack, client)

    ack = await slack.click(message, "approve", user="U2")

    assert (ack.is_acked, ack.status, ack.problem) == (True, 200, None)
    [body] = heard
    assert body["type"] == "block_actions"
    assert body["user"] == {"id": "U2", "username": "u2", "name": "u2", "team_id": "T1"}
    assert body["team"] == {"id": "T1", "domain": "fake"}
    assert body["api_app_id"] == "A1"
    assert body["channel"] == {"id": "C1", "name": "general"}
    assert body["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": "C1",
        "is_ephemeral": False,
    }
    assert isinstance(body["message"], dict)
    assert body["message"]["blocks"] == list(message.blocks)
    assert isinstance(body["actions"], list)
    [action] = body["actions"]
    assert (action["type"], action["block_id"], action["value"]) == ("button", "options", "i-1")
    assert action["action_ts"]
    assert body["trigger_id"]
    assert str(body["response_url"]).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("control", ["reject", "i-1:no", "Reject"], ids=["action_id", "value", "text"])
async def test_a_button_is_found_by_id_value_or_text(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp, control: str
) -> None:
    heard = hear_clicks(app, "reject")
    message = await asked(slack, client)

    await slack.click((message.channel, message.ts), control)

    assert len(heard) == 1


async def test_a_button_that_is_not_there_cannot_be_clicked(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    message = await asked(slack, client)

    with pytest.raises(NotPossibleError, match=r"there is: approve \(Approve\), reject \(Reject\)"):
        await slack.click(message, "modify")


async def test_two_buttons_alike_are_not_clicked_by_chance(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    twice = [actions(button(action_id="a")), actions(button(action_id="b"))]
    await client.chat_postMessage(channel="C1", text="Ship?", blocks=twice)

    with pytest.raises(NotPossibleError, match="more than one control is 'Approve'"):
        await slack.click(slack.messages("C1")[0], "Approve")


async def test_a_choice_from_a_menu_arrives(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    heard = hear_clicks(app, "pick")
    await client.chat_postMessage(channel="C1", text="Where?", blocks=[section(accessory=select())])
    message = slack.messages("C1")[0]

    await slack.click(message, "pick", choice="Option 1")

    assert isinstance(heard[0]["actions"], list)
    assert heard[0]["actions"][0]["selected_option"]["value"] == "v1"
    with pytest.raises(NotPossibleError, match="it has: v0, v1"):
        await slack.click(message, "pick", choice="Option 9")
    with pytest.raises(NotPossibleError, match="say which choice"):
        await slack.click(message, "pick")


async def test_a_button_of_an_older_version_can_be_clicked(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    heard = hear_clicks(app, "approve")
    message = await asked(slack, client)
    await client.chat_update(channel="C1", ts=message.ts, text="Rejected by U2")

    await slack.click(message, "approve", version=0)

    assert isinstance(heard[0]["message"], dict)
    assert heard[0]["message"]["text"] == "Rejected by U2"
    assert "blocks" not in heard[0]["message"]
    with pytest.raises(NotPossibleError, match="there is: nothing"):
        await slack.click(message, "approve")


async def test_a_click_may_come_from_another_workspace(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    heard = hear_clicks(app, "approve")

    await slack.click(await asked(slack, client), "approve", team="T9")

    assert isinstance(heard[0]["user"], dict)
    assert heard[0]["user"]["team_id"] == "T9"
    assert heard[0]["team"] == {"id": "T1", "domain": "fake"}


@pytest.mark.parametrize("signature", [Signature.FORGED, Signature.STALE, Signature.MISSING])
async def test_bolt_refuses_what_slack_did_not_sign(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp, signature: Signature
) -> None:
    heard = hear_clicks(app, "approve")

    ack = await slack.click(await asked(slack, client), "approve", signature=signature)

    assert (ack.status, ack.is_acked) == (401, False)
    assert ack.problem == "not acknowledged: HTTP 401"
    assert heard == []


async def test_a_payload_can_be_delivered_twice(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    retries: list[object] = []

    @app.action("approve")
    async def pressed(ack: AsyncAck, body: Body, request: AsyncBoltRequest) -> None:
        headers = request.headers
        retries.append((body["trigger_id"], headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")))
        await ack()

    ack = await slack.click(await asked(slack, client), "approve")

    again = await slack.redeliver(ack, Retry(number=2, reason="http_error"))

    trigger_id = ack.payload.body["trigger_id"]
    assert again.is_acked
    assert retries == [(trigger_id, None, None), (trigger_id, ["2"], ["http_error"])]


async def test_a_command_is_answered_in_its_ack(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    heard: list[dict[str, str]] = []

    @app.command("/spectra")
    async def typed(ack: AsyncAck, body: dict[str, str]) -> None:
        heard.append(body)
        await ack("Started r-1")

    ack = await slack.command("/spectra", "run release env=prod", user="U2")

    assert ack.text == "Started r-1"
    assert [said.text for said in slack.ephemerals("C1", "U2")] == ["Started r-1"]
    assert heard[0]["text"] == "run release env=prod"
    assert (heard[0]["team_id"], heard[0]["channel_id"], heard[0]["user_id"]) == ("T1", "C1", "U2")


async def test_blocks_answered_to_a_command_have_limits_too(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    @app.command("/spectra")
    async def typed(ack: AsyncAck) -> None:
        await ack(text="Too much", blocks=[section("x" * 3001)])

    ack = await slack.command("/spectra", "list")

    assert ack.problem is not None
    assert ack.problem.startswith("invalid_blocks")
    assert slack.ephemerals("C1", "U1") == []


async def test_a_command_may_be_answered_to_the_channel(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    @app.command("/spectra")
    async def typed(ack: AsyncAck) -> None:
        await ack(text="For all", response_type="in_channel")

    await slack.command("/spectra", "list")

    assert [message.text for message in slack.messages("C1")] == ["For all"]


async def test_an_event_is_wrapped_and_marked_when_repeated(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    heard: list[object] = []

    @app.event("app_home_opened")
    async def opened(body: dict[str, object], event: dict[str, object], request: AsyncBoltRequest) -> None:
        heard.append((body["event_id"], event["user"], request.headers.get("x-slack-retry-num")))

    ack = await slack.event({"type": "app_home_opened", "user": "U1", "tab": "home"})
    await slack.redeliver(ack)

    event_id = ack.payload.body["event_id"]
    assert ack.is_acked
    assert heard == [(event_id, "U1", None), (event_id, "U1", ["1"])]


async def test_an_app_that_acks_too_late_has_not_acked(slack: FakeSlack, app: AsyncApp) -> None:
    too_late, acked = asyncio.Event(), asyncio.Event()

    @app.command("/spectra")
    async def typed(ack: AsyncAck) -> None:
        await too_late.wait()
        await ack()
        acked.set()

    async with FakeSlack(app_url=slack.app_url, ack_within_s=0.05) as impatient:
        ack = await impatient.command("/spectra", "list")

    too_late.set()
    await asyncio.wait_for(acked.wait(), 5)
    assert (ack.status, ack.is_acked, ack.problem) == (None, False, "not acknowledged in time")
    assert ack.took_s >= 0.05


async def test_an_app_that_is_not_there_has_not_acked(slack: FakeSlack) -> None:
    slack.app_url = "http://127.0.0.1:1/slack/events"

    ack = await slack.command("/spectra", "list")

    assert ack.status is None


async def test_without_an_address_nothing_is_delivered(slack: FakeSlack) -> None:
    with pytest.raises(NotPossibleError, match="app_url"):
        await slack.command("/spectra", "list")


async def test_a_response_url_answers_one_person_five_times(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp, session: ClientSession
) -> None:
    hear_clicks(app, "approve")
    ack = await slack.click(await asked(slack, client), "approve")
    webhook = AsyncWebhookClient(str(ack.payload.body["response_url"]), session=session)

    answers = [(await webhook.send(text=f"Answer {n}")).status_code for n in range(6)]

    assert answers == [200] * 5 + [404]
    assert [said.text for said in slack.ephemerals("C1", "U1")] == [f"Answer {n}" for n in range(5)]
    assert slack.calls("response_url")[-1].error == "used_url"


async def test_a_response_url_lives_thirty_minutes(
    slack: FakeSlack,
    client: AsyncWebClient,
    app: AsyncApp,
    session: ClientSession,
    time_of_slack: MovableTime,
) -> None:
    hear_clicks(app, "approve")
    ack = await slack.click(await asked(slack, client), "approve")
    webhook = AsyncWebhookClient(str(ack.payload.body["response_url"]), session=session)
    time_of_slack.seconds += 30 * 60
    in_time = await webhook.send(text="In time")
    time_of_slack.seconds += 1

    too_late = await webhook.send(text="Too late")

    assert (in_time.status_code, too_late.status_code) == (200, 404)
    assert slack.calls("response_url")[-1].error == "expired_url"


async def test_a_response_url_replaces_or_takes_away_the_message(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    done = asyncio.Event()

    @app.action("approve")
    async def pressed(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(text="Approved", replace_original=True)
        await respond(delete_original=True)
        done.set()

    message = await asked(slack, client)

    await slack.click(message, "approve")

    await asyncio.wait_for(done.wait(), 5)
    assert [version.text for version in slack.message("C1", message.ts).versions] == ["Ship?", "Approved"]
    assert slack.message("C1", message.ts).is_deleted


async def test_a_button_of_an_ephemeral_replaces_it(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    done = asyncio.Event()

    @app.action("approve")
    async def pressed(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(text="Approved", replace_original=True)
        done.set()

    await client.chat_postEphemeral(channel="C1", user="U1", text="Sure?", blocks=APPROVAL)
    [said] = slack.ephemerals("C1", "U1")

    ack = await slack.click(said, "approve")

    await asyncio.wait_for(done.wait(), 5)
    assert ack.payload.body["container"] == {
        "type": "message",
        "message_ts": said.ts,
        "channel_id": "C1",
        "is_ephemeral": True,
    }
    assert "message" not in ack.payload.body
    assert [item.text for item in slack.ephemerals("C1", "U1")] == ["Approved"]
