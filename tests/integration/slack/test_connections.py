"""Hearing Slack over HTTP and over a socket, and what doctor says of the tokens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from handlers.slack import (
    SlackSetupError,
    build_slack_app,
    check_app_token,
    check_slack,
    open_client,
    serve_http,
    serve_socket,
)
from handlers.slack.socket_mode import Hearing
from spectra_bot import InterruptResponse, RunStatus
from spectra_bot.testing import DisconnectReason, Dropped, FakeSlack, Installation, Refused, ServerError
from tests.engines import Place
from tests.integration.slack.bot import a_bot, no_pause
from tests.integration.slack.workflows import deploy, with_form


async def test_a_run_is_asked_and_answered_over_a_socket(place: Place) -> None:
    async with a_bot(place, [deploy()], mode="socket") as bot:
        ack = await bot.command("run deploy env=prod")
        assert "Started run" in ack.text
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", user="U2")

        assert ack.is_acked
        run_id = (await bot.runner.list_runs())[0].run_id
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        await bot.until_closed(message)


async def test_a_form_is_filled_in_over_a_socket(place: Place) -> None:
    async with a_bot(place, [with_form()], mode="socket") as bot:
        await bot.ask("formed")
        await bot.slack.click(await bot.question(), "Change…")
        view = await bot.modal()

        refused = await bot.slack.submit(view, {"field:0": "because"})
        ack = await bot.slack.submit(view, {"field:0": "it is time"})

        assert refused.errors
        assert ack.is_acked
        assert not bot.slack.views


async def test_a_socket_that_slack_asks_to_renew_is_renewed(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()], mode="socket") as bot:
        await bot.slack.disconnect(DisconnectReason.WARNING)

        await bot.slack.connected()

        assert "Nothing is waiting" in (await bot.command("pending")).text


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_click_at_work_is_acked_before_the_bot_stops(
    place: Place, mode: Literal["http", "socket"], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSlack(mode=mode) as slack:
        async with a_bot(place, [deploy()], slack=slack, mode=mode) as bot:
            await bot.command("run deploy env=prod")
            question = await bot.question()
            at_work, stored = asyncio.Event(), bot.runner.answer

            async def slow(interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
                at_work.set()
                await asyncio.sleep(0.3)  # the bot stops meanwhile
                return await stored(interrupt_id, response)

            monkeypatch.setattr(bot.runner, "answer", slow)
            click = asyncio.create_task(slack.click(question, "Approve", user="U2"))
            await at_work.wait()
        ack = await click

    assert ack.is_acked


async def test_a_wrong_app_token_is_told_at_once(tmp_path: Path) -> None:
    async with (
        a_bot(tmp_path / "s.db", [deploy()]) as bot,
        open_client("xoxb-fake", base_url=bot.slack.base_url) as client,
    ):
        app = build_slack_app(bot.runner, bot.handler, client=client)

        with pytest.raises(SlackSetupError, match="connections:write"):
            async with serve_socket(app, "xapp-wrong"):
                pass


async def test_a_wrong_bot_token_is_told_at_once(tmp_path: Path) -> None:
    async with (
        a_bot(tmp_path / "s.db", [deploy()]) as bot,
        open_client("xoxb-wrong", base_url=bot.slack.base_url) as client,
    ):
        app = build_slack_app(bot.runner, bot.handler, client=client)

        with pytest.raises(SlackSetupError, match="SLACK_BOT_TOKEN"):
            async with serve_http(app, port=0):
                pass


async def test_the_bot_starts_while_slack_is_away_and_connects_when_it_is_back(tmp_path: Path) -> None:
    slack = FakeSlack(mode="socket")
    slack.faults.add("auth.test", ServerError(), times=3)
    slack.faults.add("apps.connections.open", ServerError(), times=3)
    async with slack, a_bot(tmp_path / "s.db", [deploy()], slack=slack, mode="socket") as bot:
        assert "Nothing is waiting" in (await bot.command("pending")).text


async def test_http_is_served_on_loopback_with_a_health_page(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        url = bot.slack.app_url

        async with aiohttp.ClientSession() as session:
            health = await session.get(url.replace("/slack/events", "/healthz"))
            elsewhere = await session.post(url.replace("/slack/events", "/other"))
            garbage = await session.post(url, data=b"\xff\xfe")

        assert url.startswith("http://127.0.0.1:")
        assert (health.status, await health.json()) == (200, {"ok": True})
        assert elsewhere.status == 404
        assert garbage.status in (400, 401)


async def test_without_a_signing_secret_nothing_over_http_is_believed(tmp_path: Path) -> None:
    async with (
        a_bot(tmp_path / "s.db", [deploy()]) as bot,
        open_client("xoxb-fake", base_url=bot.slack.base_url) as client,
    ):
        app = build_slack_app(bot.runner, bot.handler, client=client)
        async with serve_http(app, port=0) as server:
            bot.slack.app_url = server.url
            bot.slack.signing_secret = ""

            ack = await bot.command("runs")

            assert ack.status == 401


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async with (
        a_bot(tmp_path / "s.db", [deploy()]) as bot,
        open_client("xoxb-fake", base_url=bot.slack.base_url) as client,
    ):
        app = build_slack_app(bot.runner, bot.handler, client=client)
        async with serve_http(app, port=0) as server:
            with pytest.raises(SlackSetupError, match="choose another port"):
                async with serve_http(app, port=server.port):
                    pass


async def test_a_click_is_not_acked_while_slack_does_not_say_whose_bot_this_is(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        bot.slack.faults.add("auth.test", Refused("internal_error"), times=None)

        refused = await bot.command("runs")

        assert not refused.is_acked
        bot.slack.faults.clear("auth.test")
        assert (await bot.command("runs")).is_acked


@pytest.mark.parametrize("fault", [ServerError(), Dropped()])
@pytest.mark.parametrize(("method", "repeated"), [("chat.postMessage", 0), ("chat.update", 2)])
async def test_a_call_is_repeated_unless_it_may_have_left_a_message_behind(
    method: str, repeated: int, fault: ServerError | Dropped
) -> None:
    async with FakeSlack() as slack, open_client("xoxb-fake", base_url=slack.base_url, sleep=no_pause) as client:
        slack.faults.add(method, fault, times=None)

        with pytest.raises((SlackApiError, aiohttp.ClientError)):
            await client.api_call(method, json={"channel": "C1", "ts": "1.0", "text": "Ship?"})

        assert len(slack.calls(method)) == 1 + repeated


async def test_a_post_that_never_left_is_repeated() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with FakeSlack() as slack:
        gone = slack.base_url
    async with open_client("xoxb-fake", base_url=gone, sleep=pause) as client:
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.chat_postMessage(channel="C1", text="Ship?")

    assert len(pauses) == 2


async def test_doctor_finds_the_workspace_and_the_scopes() -> None:
    async with (
        FakeSlack(scopes=["chat:write", "commands"]) as slack,
        open_client("xoxb-fake", base_url=slack.base_url) as client,
    ):
        findings = await check_slack(client)

    assert all(finding.is_fine for finding in findings)
    assert "T1" in findings[0].text


async def test_doctor_tells_a_missing_scope_and_what_to_do() -> None:
    async with (
        FakeSlack(scopes=["chat:write", "users:read"]) as slack,
        open_client("xoxb-fake", base_url=slack.base_url) as client,
    ):
        findings = await check_slack(client)

    assert [finding.text for finding in findings if not finding.is_fine] == [
        "missing scopes: commands; add them under OAuth & Permissions, or use manifest.yaml, and reinstall the app"
    ]
    assert "users:read" in findings[-1].text


async def test_doctor_tells_what_the_optional_scopes_give() -> None:
    async with (
        FakeSlack(scopes=["chat:write", "commands", "channels:history"]) as slack,
        open_client("xoxb-fake", base_url=slack.base_url) as client,
    ):
        findings = await check_slack(client)

    assert all(finding.is_fine for finding in findings)
    assert [finding.text for finding in findings[-2:]] == [
        "channels:history is granted: in a public channel a question is looked for before it is posted again",
        "groups:history is not granted, and need not be: "
        "after a failure a question may stand twice in a private channel",
    ]


async def test_doctor_tells_a_token_that_slack_refuses() -> None:
    async with FakeSlack() as slack, open_client("xoxb-wrong", base_url=slack.base_url, sleep=no_pause) as client:
        (finding,) = await check_slack(client)

    assert not finding.is_fine
    assert "SLACK_BOT_TOKEN" in finding.text


@pytest.mark.parametrize(
    ("token", "is_fine", "said"),
    [("xapp-fake", True, "opens Socket Mode"), ("xapp-wrong", False, "set SLACK_APP_TOKEN")],
)
async def test_doctor_asks_slack_for_a_socket_with_the_app_token(token: str, is_fine: bool, said: str) -> None:
    async with (
        FakeSlack(mode="socket") as slack,
        open_client("xoxb-fake", base_url=slack.base_url, sleep=no_pause) as client,
    ):
        finding = await check_app_token(client, token)

    assert finding.is_fine is is_fine
    assert said in finding.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [(ServerError(503), "(HTTP 503)"), (Dropped(), "can't be reached"), (Refused("fatal_error"), "with fatal_error")],
)
async def test_doctor_tells_a_slack_that_does_not_answer_in_its_own_words(
    fault: ServerError | Dropped | Refused, said: str
) -> None:
    async with FakeSlack() as slack, open_client("xoxb-fake", base_url=slack.base_url, sleep=no_pause) as client:
        slack.faults.add("auth.test", fault, times=None)

        (finding,) = await check_slack(client)

    assert not finding.is_fine
    assert said in finding.text
    assert "message" not in finding.text
    assert "tried again" not in finding.text


async def test_a_message_of_another_app_is_left_alone(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        other = Installation(token="xoxb-other", app_id="A9", bot_id="B9", bot_user_id="UBOT9")
        bot.slack.add_installation(other)
        theirs = bot.slack.workspace.post(channel="C1", text="theirs", by=other)
        await bot.command("run deploy env=prod")
        await bot.question()
        (request,) = await bot.runner.list_pending()
        given = await bot.runner.answer(request.id, request.answer("approve", responder="slack:T1/U1"))

        await bot.handler.settle(request, given, {"channel": theirs.channel, "ts": theirs.ts})

        assert bot.now(theirs).text == "theirs"


async def test_what_has_come_over_a_socket_is_handled_before_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: list[str] = []
    handler = AsyncSocketModeHandler(AsyncApp(token="xoxb-1", request_verification_enabled=False), "xapp-1")

    async def handle(_client: SocketModeClient, request: SocketModeRequest) -> None:
        await asyncio.sleep(0.01)
        handled.append(request.envelope_id)
        if request.envelope_id == "e-2":
            raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(handler, "handle", handle)
    hearing = Hearing(handler)
    for number in range(5):
        envelope = {"type": "interactive", "envelope_id": f"e-{number}", "payload": {}}
        await handler.client.enqueue_message(json.dumps(envelope))

    await hearing.stop(5.0)

    await handler.close_async()  # type: ignore[no-untyped-call]  # nor here
    assert sorted(handled) == [f"e-{number}" for number in range(5)]
