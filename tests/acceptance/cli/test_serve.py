"""`serve` as a process, with Slack's stand-in on the other side."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from spectra_bot.demo.sample import make_sample
from spectra_bot.testing import FakeSlack, Message
from tests.acceptance.cli.program import TIMEOUT_S, Program


class Serving:
    """A process that serves, or works; what it says on standard error is read line by line."""

    def __init__(self, program: Program, *words: str, command: str = "serve") -> None:
        self.process = program.start(command, *words)
        self.said: list[str] = []

    async def says(self, pattern: str) -> re.Match[str]:
        assert self.process.stderr is not None
        while True:
            line = await asyncio.wait_for(asyncio.to_thread(self.process.stderr.readline), TIMEOUT_S)
            assert line, f"it ended without {pattern!r}: {self.said}"
            self.said.append(line)
            if found := re.search(pattern, line):
                return found

    async def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        _, rest = await asyncio.to_thread(self.process.communicate, timeout=TIMEOUT_S)
        self.said += rest.splitlines()
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def settings(slack: FakeSlack, **more: str) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SPECTRA_SLACK_API_URL": slack.base_url,
        "SPECTRA_CHANNEL": "C1",
        "SPECTRA_WORKFLOWS": "spectra_bot.demo.release",
        **more,
    }


async def seen(slack: FakeSlack, predicate: Callable[[], Any]) -> Any:
    return await slack.wait_for(predicate, timeout=20)


def posts(slack: FakeSlack, text: str) -> list[Message]:
    return [message for message in slack.messages("C1") if text in message.text]


def ended(slack: FakeSlack, question: Message) -> list[Message]:
    """What the thread says of the end; before that it shows what the run is at."""
    return [said for said in slack.thread("C1", question.ts) if "*release* is done" in said.text]


@pytest.mark.parametrize(("mode", "number"), [("http", signal.SIGTERM), ("socket", signal.SIGINT)])
async def test_release_is_started_and_approved_in_slack_and_the_server_stops_cleanly(
    program: Program, mode: Any, number: signal.Signals
) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack(mode=mode) as slack:
        way = (
            {"SLACK_APP_TOKEN": slack.app_token} if mode == "socket" else {"SLACK_SIGNING_SECRET": slack.signing_secret}
        )
        program.env |= settings(slack, **way)
        serving = Serving(program, "--port", "0")
        try:
            await serving.says("Workflows: release")
            if mode == "http":
                slack.app_url = (await serving.says(r"Listening: (http://127\.0\.0\.1:\d+/slack/events)"))[1]
            else:
                await serving.says("Listening: Slack's Socket Mode")
                await slack.connected()

            await slack.command("/spectra", f"run release source={source} target={target}")
            (question,) = await seen(slack, lambda: posts(slack, "Release 4 files"))
            await slack.click(question, "Approve")
            await seen(slack, lambda: ended(slack, question))

            assert (target / "site/spring.html").is_file()
            assert await serving.stop(number) == 0
        finally:
            serving.kill()
    assert "Stopped." in "\n".join(serving.said)
    assert "Traceback" not in "\n".join(serving.said)


async def test_question_of_run_is_answered_through_a_server_on_the_same_file(program: Program) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack() as slack:
        program.env |= settings(slack, SLACK_SIGNING_SECRET=slack.signing_secret)
        stopped = await asyncio.to_thread(program, "run", "release", f"source={source}", f"target={target}", "--json")
        assert stopped.code == 3, stopped.err
        (question,) = posts(slack, "Release 4 files")
        serving = Serving(program, "--port", "0")
        try:
            slack.app_url = (await serving.says(r"Listening: (http://\S+)"))[1]

            await slack.click(question, "Approve")
            await seen(slack, lambda: ended(slack, question))

            assert (target / "site/spring.html").is_file()
            assert await serving.stop(signal.SIGTERM) == 0
        finally:
            serving.kill()
    shown = await asyncio.to_thread(program, "show", stopped.records["run_id"])
    assert "approve by slack:T1/U1" in shown.out


async def test_doctor_asks_slack_and_compares_scopes(program: Program) -> None:
    async with FakeSlack(scopes=("chat:write",)) as slack:
        program.env |= settings(slack, SLACK_APP_TOKEN=slack.app_token)

        lacking = await asyncio.to_thread(program, "doctor")

    assert lacking.code == 1
    assert "missing scopes: commands" in lacking.out


async def test_wrong_token_is_told_by_doctor_and_stops_the_server(program: Program) -> None:
    async with FakeSlack(mode="socket") as slack:
        program.env |= settings(slack, SLACK_APP_TOKEN=slack.app_token, SLACK_BOT_TOKEN="xoxb-wrong")
        doctor = await asyncio.to_thread(program, "doctor")
        wrong_bot = await asyncio.to_thread(program, "serve")

        program.env |= settings(slack, SLACK_APP_TOKEN="xapp-wrong")
        wrong_app = await asyncio.to_thread(program, "serve")

    assert (doctor.code, "Slack refuses the bot token" in doctor.out) == (1, True)
    assert (wrong_bot.code, "Slack refuses the bot token" in wrong_bot.err) == (2, True)
    assert (wrong_app.code, "Slack refuses the app token" in wrong_app.err) == (2, True)
    assert "Traceback" not in wrong_bot.err + wrong_app.err


async def test_port_that_is_taken_is_told_with_what_to_do(program: Program) -> None:
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, FakeSlack() as slack:
        program.env |= settings(slack, SLACK_SIGNING_SECRET=slack.signing_secret)

        done = await asyncio.to_thread(program, "serve", "--port", str(port))

    assert (done.code, "choose another port" in done.err) == (2, True)


def test_server_without_workflows_says_so(program: Program) -> None:
    program.env |= {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}

    done = program("serve")

    assert (done.code, "no workflows are named" in done.err) == (2, True)
