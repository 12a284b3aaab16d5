"""Waiting for what happens, and the account of it when it does not."""

import asyncio
import re
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

import spectra_bot.testing
from spectra_bot.testing import FakeSlack, NotPossibleError, NotSeenError


async def test_a_wait_is_woken_by_the_call_it_waits_for(slack: FakeSlack, client: AsyncWebClient) -> None:
    waiting = asyncio.create_task(slack.wait_for(lambda: slack.messages("C1")))

    await client.chat_postMessage(channel="C1", text="Ship?")

    [message] = await waiting
    assert message.text == "Ship?"


async def test_a_wait_for_what_is_there_returns_at_once(slack: FakeSlack) -> None:
    assert await slack.wait_for(lambda: "there", timeout=0) == "there"


async def test_a_wait_in_vain_tells_what_was_there(slack: FakeSlack, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C1", text="Ship?")
    await client.chat_postEphemeral(channel="C1", user="U1", text="Only you")

    with pytest.raises(NotSeenError) as failure:
        await slack.wait_for(lambda: slack.messages("C2"), timeout=0.01)

    account = str(failure.value)
    assert "chat.postMessage -> 200" in account
    assert "'Ship?'" in account
    assert "ephemeral C1 U1 'Only you'" in account


async def test_a_fake_that_was_not_started_says_so() -> None:
    slack = FakeSlack(app_url="http://127.0.0.1:1/slack/events")

    with pytest.raises(NotPossibleError, match="async with"):
        await slack.command("/spectra")


def test_the_kit_imports_no_slack_library() -> None:
    folder = Path(spectra_bot.testing.__file__).parent
    sources = {path.name: path.read_text() for path in folder.glob("*.py")}

    assert "fake_slack.py" in sources
    imported = re.compile(r"^\s*(?:from|import) (?:slack_sdk|slack_bolt|handlers)\b", re.MULTILINE)
    assert [name for name, text in sources.items() if imported.search(text)] == []
