"""The bot dies with SIGKILL while a question waits, or is being posted; started again, it takes the click."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from spectra_bot import WorkflowRunner
from spectra_bot.testing import MANIFEST_SCOPES, FakeSlack, Message

TIMEOUT_S = 20.0
WORKFLOWS = """
from spectra_bot import HumanGateStep, StepContext, Workflow

shipping = Workflow("shipping", description="Ship a release")
shipping.add("gate", HumanGateStep("Ship it?", data={"plan": "replicas -> 3"}))

@shipping.step
async def ship(ctx: StepContext) -> str:
    return "shipped"
"""


@dataclass(slots=True)
class Bot:
    """One `spectra-bot serve`."""

    process: asyncio.subprocess.Process
    listening: str

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def serving(slack: FakeSlack, folder: Path, mode: str) -> AsyncIterator[Bot]:
    """The bot as its operator starts it, told by its environment where Slack is."""
    transport = (
        {"SLACK_APP_TOKEN": slack.app_token} if mode == "socket" else {"SLACK_SIGNING_SECRET": slack.signing_secret}
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "SPECTRA_"))},
        **transport,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SPECTRA_SLACK_API_URL": slack.base_url,
        "SPECTRA_PORT": "0",
    }
    workflows = folder / "shipping.py"
    workflows.write_text(WORKFLOWS)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "spectra-bot",
        *("serve", "--db", folder / "spectra.db", "--workflows", workflows),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Bot(process, await asyncio.wait_for(_listening(process), TIMEOUT_S))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), TIMEOUT_S)


async def _listening(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    seen = []
    while line := (await process.stderr.readline()).decode():
        seen.append(line)
        if match := re.search(r"Listening: (.*)", line):
            return match.group(1).strip()
    raise AssertionError("the bot ended before it listened:\n" + "".join(seen))


async def _receipt_is_stored(database: Path) -> None:
    """Where the message stands is in the database: from here on no second one is posted."""
    async with WorkflowRunner(database=str(database), read_only=True) as reading, asyncio.timeout(TIMEOUT_S):
        while True:
            [request] = await reading.list_pending()
            if [delivery for delivery in (await reading.get_interrupt(request.id)).deliveries if delivery.receipt]:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("mode", ["http", "socket"])
@pytest.mark.parametrize(("option", "outcome_word"), [("Approve", "is done"), ("Reject", "failed")])
async def test_question_outlives_the_process_that_asked_it(
    tmp_path: Path, mode: Literal["http", "socket"], option: str, outcome_word: str
) -> None:
    async with FakeSlack(mode=mode) as slack:
        async with serving(slack, tmp_path, mode) as first:
            slack.app_url = first.listening
            if mode == "socket":
                await slack.connected(timeout=TIMEOUT_S)
            started = await slack.command("/spectra", "run shipping", user="U1", channel="C1")
            [question] = await slack.wait_for(lambda: slack.messages("C1"), timeout=TIMEOUT_S)
            await _receipt_is_stored(tmp_path / "spectra.db")
            await first.kill()

        async with serving(slack, tmp_path, mode) as second:
            slack.app_url = second.listening
            if mode == "socket":
                await slack.connected(timeout=TIMEOUT_S)
            click = await slack.click(question, option, user="U2")
            outcome = await slack.wait_for(lambda: slack.thread("C1", question.ts), timeout=TIMEOUT_S)

        asked = [message for message in slack.messages("C1") if message.thread_ts is None]
        decided = slack.message("C1", question.ts)

    assert started.is_acked
    assert "shipping" in started.text
    assert click.is_acked
    assert [message.ts for message in asked] == [question.ts]
    assert "<@U2>" in decided.text
    assert not [block for block in decided.blocks if block["type"] == "actions"]
    assert outcome_word in outcome[0].text


@asynccontextmanager
async def killed_in_the_middle_of_its_post(folder: Path, scopes: frozenset[str]) -> AsyncIterator[FakeSlack]:
    """Slack with a message whose place no process knows, and a new process at work."""
    async with FakeSlack(scopes=scopes) as slack:
        held = slack.faults.hold("chat.postMessage", after_work=True)
        async with serving(slack, folder, "http") as first:
            slack.app_url = first.listening
            await slack.command("/spectra", "run shipping", user="U1", channel="C1")
            await asyncio.wait_for(held.arrived.wait(), TIMEOUT_S)
            await first.kill()
        held.release()
        async with serving(slack, folder, "http") as second:
            slack.app_url = second.listening
            yield slack


def standing(slack: FakeSlack) -> list[Message]:
    return [message for message in slack.messages("C1") if message.metadata]


def is_open(slack: FakeSlack, message: Message) -> bool:
    return any(block["type"] == "actions" for block in slack.message(message.channel, message.ts).blocks)


@pytest.mark.parametrize("clicked", [0, 1], ids=["the copy", "the one that is known"])
async def test_question_that_stands_twice_after_a_kill_is_one_question(tmp_path: Path, clicked: int) -> None:
    async with killed_in_the_middle_of_its_post(tmp_path, MANIFEST_SCOPES) as slack:
        await slack.wait_for(lambda: len(standing(slack)) == 2, timeout=TIMEOUT_S)
        both = standing(slack)
        await _receipt_is_stored(tmp_path / "spectra.db")

        await slack.click(both[clicked], "Approve", user="U2")
        await slack.wait_for(lambda: not is_open(slack, both[clicked]), timeout=TIMEOUT_S)
        if is_open(slack, both[0]) and clicked:
            await slack.click(both[0], "Reject", user="U1")

        await slack.wait_for(lambda: not any(is_open(slack, message) for message in both), timeout=TIMEOUT_S)
        assert all("*Approve* by <@U2>" in slack.message("C1", message.ts).text for message in both)
        [told] = await slack.wait_for(lambda: slack.thread("C1", both[1].ts), timeout=TIMEOUT_S)
        assert "is done" in told.text


async def test_bot_that_may_read_the_channel_finds_what_a_killed_one_posted(tmp_path: Path) -> None:
    async with killed_in_the_middle_of_its_post(tmp_path, MANIFEST_SCOPES | {"channels:history"}) as slack:
        await slack.wait_for(lambda: slack.calls("conversations.history"), timeout=TIMEOUT_S)
        await _receipt_is_stored(tmp_path / "spectra.db")
        [message] = standing(slack)

        await slack.click(message, "Approve", user="U2")

        [told] = await slack.wait_for(lambda: slack.thread("C1", message.ts), timeout=TIMEOUT_S)
        assert "is done" in told.text
        assert [found.ts for found in standing(slack)] == [message.ts]
