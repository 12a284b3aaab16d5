"""Modals and home views: opened by a trigger, filled in, submitted, changed."""

import asyncio

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import FakeSlack, NotPossibleError, OpenView
from tests.unit.testing_kit.blocks import (
    Block,
    actions,
    button,
    modal,
    options,
    plain,
    section,
    text_element,
    text_input,
)
from tests.unit.testing_kit.conftest import MovableTime
from tests.unit.testing_kit.test_web_api import error_of

Body = dict[str, object]


async def opened(slack: FakeSlack, client: AsyncWebClient, view: Block | None = None) -> OpenView:
    await client.views_open(trigger_id=slack.workspace.issue_trigger("U1"), view=view or modal(callback_id="modify"))
    return slack.views["U1"][-1]


async def test_a_trigger_opens_one_modal_for_its_person(slack: FakeSlack, client: AsyncWebClient) -> None:
    trigger = slack.workspace.issue_trigger("U1")

    answer = await client.views_open(trigger_id=trigger, view=modal(private_metadata="i-1"))

    assert [view.id for view in slack.views["U1"]] == [answer["view"]["id"]]
    assert answer["view"]["private_metadata"] == "i-1"
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=trigger, view=modal())
    assert error_of(failure) == "exchanged_trigger_id"


async def test_a_trigger_lives_three_seconds(
    slack: FakeSlack, client: AsyncWebClient, time_of_slack: MovableTime
) -> None:
    in_time, too_late = slack.workspace.issue_trigger("U1"), slack.workspace.issue_trigger("U1")
    time_of_slack.seconds += 3.0
    await client.views_open(trigger_id=in_time, view=modal())
    time_of_slack.seconds += 0.1

    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=too_late, view=modal())

    assert error_of(failure) == "expired_trigger_id"


async def test_a_trigger_that_slack_never_gave_is_invalid(slack: FakeSlack, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id="1.2.3", view=modal())

    assert error_of(failure) == "invalid_trigger_id"


async def test_a_modal_over_a_limit_is_refused_and_keeps_the_trigger(slack: FakeSlack, client: AsyncWebClient) -> None:
    trigger = slack.workspace.issue_trigger("U1")
    with pytest.raises(SlackApiError) as failure:
        await client.views_open(trigger_id=trigger, view=modal(title=plain("t" * 25)))

    await client.views_open(trigger_id=trigger, view=modal())

    assert error_of(failure) == "invalid_arguments"
    assert failure.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]


async def test_an_update_needs_the_present_hash(slack: FakeSlack, client: AsyncWebClient) -> None:
    view = await opened(slack, client)
    await client.views_update(view_id=view.id, hash=view.hash, view=modal(text_input("again")))

    with pytest.raises(SlackApiError) as stale:
        await client.views_update(view_id=view.id, hash=view.hash, view=modal())
    with pytest.raises(SlackApiError) as unknown:
        await client.views_update(view_id="V404", view=modal())

    assert error_of(stale) == "hash_conflict"
    assert error_of(unknown) == "not_found"
    assert slack.views["U1"][0].id == view.id


async def test_three_views_fit_on_a_stack(slack: FakeSlack, client: AsyncWebClient) -> None:
    view = await opened(slack, client)
    for _ in range(2):
        trigger = slack.workspace.issue_trigger("U1", view.id)
        await client.views_push(trigger_id=trigger, view=modal())

    with pytest.raises(SlackApiError) as failure:
        await client.views_push(trigger_id=slack.workspace.issue_trigger("U1", view.id), view=modal())

    assert error_of(failure) == "push_limit_reached"
    assert {item.root_id for item in slack.views["U1"]} == {view.id}


async def test_an_external_id_is_open_once(slack: FakeSlack, client: AsyncWebClient) -> None:
    await opened(slack, client, modal(external_id="i-1"))

    with pytest.raises(SlackApiError) as failure:
        await opened(slack, client, modal(external_id="i-1"))

    assert error_of(failure) == "duplicate_external_id"


async def test_a_home_view_is_published(slack: FakeSlack, client: AsyncWebClient) -> None:
    await client.views_publish(user_id="U1", view={"type": "home", "blocks": [section("Nothing waits")]})

    home = slack.home("U1")
    assert home is not None
    assert home.shown == "Nothing waits"
    assert slack.views == {}


async def test_a_submission_carries_what_was_filled_in(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    seen: list[Body] = []

    @app.view("modify")
    async def submitted(ack: AsyncAck, body: Body) -> None:
        seen.append(body)
        await ack()

    picks: Block = {
        "type": "input",
        "block_id": "env",
        "label": plain("Env"),
        "element": {"type": "static_select", "action_id": "pick", "options": options()},
    }
    view = await opened(slack, client, modal(text_input(), picks, callback_id="modify", private_metadata="i-1"))

    ack = await slack.submit(view, {"notes": "Two replicas", "pick": "v1"})

    assert ack.is_acked
    assert slack.views == {}
    shown = seen[0]["view"]
    assert isinstance(shown, dict)
    assert shown["private_metadata"] == "i-1"
    assert shown["state"]["values"]["notes"]["notes_text"]["value"] == "Two replicas"
    assert shown["state"]["values"]["env"]["pick"]["selected_option"]["value"] == "v1"


async def test_marked_fields_keep_the_modal_open(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    @app.view("modify")
    async def submitted(ack: AsyncAck) -> None:
        await ack(response_action="errors", errors={"notes": "Say why"})

    view = await opened(slack, client)

    ack = await slack.submit(view, {"notes": "x"})

    assert ack.errors == {"notes": "Say why"}
    assert ack.problem is None
    assert slack.views["U1"] == (view,)


async def test_errors_that_mark_no_input_are_a_problem(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    @app.view("modify")
    async def submitted(ack: AsyncAck) -> None:
        await ack(response_action="errors", errors={"elsewhere": "Say why"})

    ack = await slack.submit(await opened(slack, client), {"notes": "x"})

    assert ack.problem is not None
    assert "elsewhere" in ack.problem


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ({"response_action": "update", "view": modal(section("Done"))}, ["Done"]),
        ({"response_action": "push", "view": modal(section("More"))}, ["Notes", "More"]),
        ({"response_action": "clear"}, []),
    ],
    ids=["update", "push", "clear"],
)
async def test_an_ack_changes_the_modals(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp, answer: Body, left: list[str]
) -> None:
    @app.view("modify")
    async def submitted(ack: AsyncAck) -> None:
        await ack(**answer)  # type: ignore[arg-type]  # Bolt names each key; the table holds several

    await slack.submit(await opened(slack, client), {"notes": "x"})

    assert [item.shown.splitlines()[-1] for item in slack.views.get("U1", ())] == left


async def test_a_person_cannot_submit_what_slack_would_not_let_them(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    view = await opened(slack, client, modal(text_input(element=text_element(max_length=3))))

    with pytest.raises(NotPossibleError, match="required and empty: notes"):
        await slack.submit(view)
    with pytest.raises(NotPossibleError, match="takes 3 characters"):
        await slack.submit(view, {"notes": "four"})
    with pytest.raises(NotPossibleError, match="elsewhere"):
        await slack.submit(view, {"elsewhere": "x"})


async def test_what_stood_in_a_field_is_submitted(slack: FakeSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    seen: asyncio.Queue[object] = asyncio.Queue()

    @app.view("modify")
    async def submitted(ack: AsyncAck, view: Body) -> None:
        seen.put_nowait(view["state"])
        await ack()

    notes = text_input(element=text_element(initial_value="as planned"))
    view = await opened(slack, client, modal(notes, callback_id="modify"))

    await slack.submit(view)

    assert seen.get_nowait() == {"values": {"notes": {"text": {"type": "plain_text_input", "value": "as planned"}}}}


async def test_a_button_in_a_modal_brings_a_trigger_for_a_push(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    @app.action("more")
    async def pressed(ack: AsyncAck, body: dict[str, str], client: AsyncWebClient) -> None:
        await ack()
        await client.views_push(trigger_id=body["trigger_id"], view=modal(section("More")))

    view = await opened(slack, client, modal(actions(button(action_id="more"))))

    await slack.click(view, "more")

    [pushed] = await slack.wait_for(lambda: slack.views["U1"][1:])
    assert pushed.previous_id == view.id


async def test_the_app_hears_of_a_closed_modal_if_it_asked(
    slack: FakeSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    heard: list[str] = []

    @app.view_closed("modify")
    async def closed(ack: AsyncAck, body: dict[str, dict[str, str]]) -> None:
        heard.append(body["view"]["id"])
        await ack()

    quiet = await opened(slack, client)
    assert await slack.close(quiet) is None
    view = await opened(slack, client, modal(callback_id="modify", notify_on_close=True))

    await slack.close(view)

    assert heard == [view.id]
    assert slack.views == {}
