"""The fake answers the real client as Slack does."""

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import Channel, FakeSlack, Installation
from tests.unit.testing_kit.blocks import APPROVAL, section


def error_of(failure: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(failure.value.response["error"])


async def test_auth_test_tells_whose_token_it_is(slack: FakeSlack, client: AsyncWebClient) -> None:
    answer = await client.auth_test()

    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T1", "UBOT", "B1")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_a_posted_message_stands_with_its_blocks_and_metadata(slack: FakeSlack, client: AsyncWebClient) -> None:
    metadata = Metadata(event_type="asked", event_payload={"run_id": "r-1"})

    answer = await client.chat_postMessage(channel="#general", text="Ship?", blocks=APPROVAL, metadata=metadata)

    [message] = slack.messages("C1")
    assert (answer["channel"], answer["ts"]) == ("C1", message.ts)
    assert message.text == "Ship?"
    assert message.blocks[1]["block_id"] == "options"
    assert message.blocks[0]["block_id"]
    assert message.metadata == {"event_type": "asked", "event_payload": {"run_id": "r-1"}}
    assert "Reject" in message.shown


async def test_a_form_with_json_inside_is_read_like_json(slack: FakeSlack, session: ClientSession) -> None:
    form = {"channel": "C1", "text": "Ship?", "blocks": '[{"type": "divider"}]', "token": slack.bot_token}

    async with session.post(f"{slack.base_url}chat.postMessage", data=form) as response:
        answer = await response.json()

    assert answer["ok"], answer
    assert slack.messages("C1")[0].blocks[0]["type"] == "divider"


async def test_blocks_that_are_no_json_have_the_wrong_format(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C1", text="Ship?", blocks="[{")

    assert error_of(failure) == "invalid_blocks_format"


async def test_a_broken_limit_names_the_pointer(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C1", text="Ship?", blocks=[section("x" * 3001)])

    assert error_of(failure) == "invalid_blocks"
    assert failure.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    assert slack.messages("C1") == []


async def test_replies_belong_to_the_first_message_of_the_thread(slack: FakeSlack, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C1", text="Root"))["ts"]
    reply = (await client.chat_postMessage(channel="C1", text="Reply", thread_ts=root))["ts"]

    await client.chat_postMessage(channel="C1", text="Seen by all", thread_ts=reply, reply_broadcast=True)

    assert [message.text for message in slack.thread("C1", root)] == ["Reply", "Seen by all"]
    assert [message.text for message in slack.messages("C1")] == ["Root", "Seen by all"]


async def test_a_thread_that_never_was_is_not_found(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C1", text="Reply", thread_ts="1.000001")

    assert error_of(failure) == "thread_not_found"


async def test_an_update_with_text_alone_removes_the_blocks_and_keeps_the_metadata(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    metadata = {"event_type": "asked", "event_payload": {}}
    ts = (await client.chat_postMessage(channel="C1", text="Ship?", blocks=APPROVAL, metadata=metadata))["ts"]

    await client.chat_update(channel="C1", ts=ts, text="Approved")

    message = slack.message("C1", ts)
    assert [version.text for version in message.versions] == ["Ship?", "Approved"]
    assert message.blocks == ()
    assert len(message.versions[0].blocks) == 2
    assert message.metadata == metadata


async def test_an_update_with_empty_metadata_removes_it(slack: FakeSlack, client: AsyncWebClient) -> None:
    metadata = {"event_type": "asked", "event_payload": {}}
    ts = (await client.chat_postMessage(channel="C1", text="Ship?", metadata=metadata))["ts"]

    await client.chat_update(channel="C1", ts=ts, text="Approved", metadata={})

    assert slack.message("C1", ts).metadata is None


async def test_an_update_may_have_4000_characters(slack: FakeSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="x" * 40_001))["ts"]

    with pytest.raises(SlackApiError) as failure:
        await client.chat_update(channel="C1", ts=ts, text="x" * 4001)

    assert error_of(failure) == "msg_too_long"
    assert len(slack.message("C1", ts).text) == 40_000


async def test_what_is_gone_or_ephemeral_cannot_be_updated(slack: FakeSlack, client: AsyncWebClient) -> None:
    gone = (await client.chat_postMessage(channel="C1", text="Ship?"))["ts"]
    await client.chat_delete(channel="C1", ts=gone)
    shown = (await client.chat_postEphemeral(channel="C1", user="U1", text="Only you"))["message_ts"]

    for ts in (gone, shown, "1.000001"):
        with pytest.raises(SlackApiError) as failure:
            await client.chat_update(channel="C1", ts=ts, text="Approved")

        assert error_of(failure) == "message_not_found"


async def test_an_app_edits_only_its_own_messages(
    slack: FakeSlack, client: AsyncWebClient, session: ClientSession
) -> None:
    slack.add_installation(Installation(token="xoxb-other", app_id="A2", bot_id="B2", bot_user_id="UBOT2"))
    other = AsyncWebClient(token="xoxb-other", base_url=slack.base_url, session=session)
    ts = (await other.chat_postMessage(channel="C1", text="Theirs"))["ts"]

    with pytest.raises(SlackApiError) as edited:
        await client.chat_update(channel="C1", ts=ts, text="Ours")
    with pytest.raises(SlackApiError) as deleted:
        await client.chat_delete(channel="C1", ts=ts)

    assert error_of(edited) == "cant_update_message"
    assert error_of(deleted) == "cant_delete_message"


async def test_a_permalink_tells_whether_a_message_stands(slack: FakeSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="Ship?"))["ts"]
    link = (await client.chat_getPermalink(channel="C1", message_ts=ts))["permalink"]
    await client.chat_delete(channel="C1", ts=ts)

    with pytest.raises(SlackApiError) as failure:
        await client.chat_getPermalink(channel="C1", message_ts=ts)

    assert link.endswith(f"/archives/C1/p{ts.replace('.', '')}")
    assert error_of(failure) == "message_not_found"
    assert slack.messages("C1") == []
    assert slack.message("C1", ts).is_deleted


async def test_an_ephemeral_is_seen_by_one_person(slack: FakeSlack, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel="C1", user="U1", text="Only you")

    assert [said.text for said in slack.ephemerals("C1", "U1")] == ["Only you"]
    assert slack.ephemerals("C1", "U2") == []
    assert slack.messages("C1") == []
    with pytest.raises(SlackApiError) as failure:
        await client.chat_postEphemeral(channel="C1", user="U404", text="Only you")
    assert error_of(failure) == "user_not_in_channel"


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        (Channel(id="C2", name="elsewhere", has_bot=False), "not_in_channel"),
        (Channel(id="C2", name="secret", is_private=True, has_bot=False), "channel_not_found"),
        (Channel(id="C2", name="old", is_archived=True), "is_archived"),
        (Channel(id="C3", name="other"), "channel_not_found"),
    ],
    ids=lambda value: value.name if isinstance(value, Channel) else "",
)
async def test_a_channel_may_be_closed_to_the_app(
    slack: FakeSlack, client: AsyncWebClient, channel: Channel, error: str
) -> None:
    slack.add_channel(channel)

    with pytest.raises(SlackApiError) as failure:
        await client.chat_postMessage(channel="C2", text="Ship?")

    assert error_of(failure) == error


async def test_chat_write_public_reaches_public_channels_alone() -> None:
    public = Channel(id="C2", name="elsewhere", has_bot=False)
    secret = Channel(id="C3", name="secret", has_bot=False, is_private=True)
    scopes = {"chat:write", "chat:write.public"}
    async with FakeSlack(scopes=scopes, channels=[public, secret]) as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.base_url)

        await client.chat_postMessage(channel="C2", text="Ship?")

        with pytest.raises(SlackApiError) as failure:
            await client.chat_postMessage(channel="C3", text="Ship?")
        assert error_of(failure) == "channel_not_found"


async def test_tokens_and_scopes_are_checked(slack: FakeSlack, session: ClientSession) -> None:
    slack.add_installation(
        Installation(token="xoxb-few", app_id="A2", bot_id="B2", bot_user_id="U2", scopes=frozenset({"commands"}))
    )
    errors = []
    for token in (None, "xoxb-wrong", slack.app_token, "xoxb-few"):
        client = AsyncWebClient(token=token, base_url=slack.base_url, session=session)
        with pytest.raises(SlackApiError) as failure:
            await client.chat_postMessage(channel="C1", text="Ship?")
        errors.append(error_of(failure))

    assert errors == ["not_authed", "invalid_auth", "not_allowed_token_type", "missing_scope"]
    assert failure.value.response["needed"] == "chat:write"
    assert failure.value.response["provided"] == "commands"


async def test_an_unknown_method_is_unknown(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.api_call("chat.shout")

    assert error_of(failure) == "unknown_method"


async def test_a_missing_argument_is_named(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.api_call("chat.postMessage", json={"text": "Ship?"})

    assert error_of(failure) == "invalid_arguments"
    assert "missing required field: channel" in failure.value.response["response_metadata"]["messages"][0]


async def test_the_directory_knows_people_groups_and_channels(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.add_person("U7", name="grace", team_id="T2")
    slack.add_group("S1", ["U1", "U7"])
    slack.add_installation(
        Installation(
            token="xoxb-reader",
            app_id="A2",
            bot_id="B2",
            bot_user_id="UR",
            scopes=frozenset({"channels:read"}),
        )
    )

    person = (await client.users_info(user="U7"))["user"]
    members = (await client.usergroups_users_list(usergroup="S1"))["users"]
    channel = (await client.conversations_info(channel="C1", token="xoxb-reader"))["channel"]

    assert (person["name"], person["team_id"], person["is_stranger"]) == ("grace", "T2", True)
    assert "email" not in person["profile"]
    assert members == ["U1", "U7"]
    assert channel["is_member"]
    with pytest.raises(SlackApiError) as failure:
        await client.conversations_info(channel="C1")
    assert error_of(failure) == "missing_scope"


async def test_a_person_is_reached_directly(slack: FakeSlack, client: AsyncWebClient) -> None:
    opened = (await client.conversations_open(users="U1"))["channel"]["id"]

    posted = await client.chat_postMessage(channel="U1", text="For you")

    assert posted["channel"] == opened
    assert [message.text for message in slack.messages(opened)] == ["For you"]


async def test_a_long_text_is_uploaded_into_a_thread(slack: FakeSlack, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C1", text="Ship?"))["ts"]

    uploaded = await client.files_upload_v2(
        content="the plan", filename="plan.txt", channel="C1", thread_ts=root, initial_comment="All of it"
    )

    [reply] = slack.thread("C1", root)
    file = slack.file(reply.files[0])
    assert uploaded["file"]["id"] == file.id
    assert (file.name, file.content, file.is_shared) == ("plan.txt", b"the plan", True)
    assert reply.text == "All of it"


async def test_an_upload_is_as_long_as_announced(
    slack: FakeSlack, client: AsyncWebClient, session: ClientSession
) -> None:
    announced = await client.files_getUploadURLExternal(filename="plan.txt", length=3)

    async with session.post(announced["upload_url"], data=b"four") as response:
        status = response.status

    assert status == 400
    with pytest.raises(SlackApiError) as failure:
        await client.files_completeUploadExternal(files=[{"id": announced["file_id"], "title": "Plan"}])
    assert error_of(failure) == "file_not_found"
