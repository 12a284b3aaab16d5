"""Signed bodies that are not as Slack sends them change nothing."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from handlers.slack.buttons import OPTION_PREFIX
from handlers.slack.modals import CALLBACK_ID
from handlers.slack.payloads import is_well_formed
from spectra_bot import RunStatus
from spectra_bot.testing.delivery import sign
from tests.integration.slack.bot import a_bot, has_buttons
from tests.integration.slack.workflows import ask

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SECRET = "do-not-log-me"
USER = {"id": "U1", "team_id": "T1"}
CLICK: dict[str, Any] = {
    "type": "block_actions",
    "user": USER,
    "team": {"id": "T1"},
    "actions": [{"type": "button", "action_id": f"{OPTION_PREFIX}approve", "block_id": "b", "value": SECRET}],
}
VIEW: dict[str, Any] = {"type": "modal", "callback_id": CALLBACK_ID, "private_metadata": "{}", "state": {"values": {}}}
SUBMISSION: dict[str, Any] = {"type": "view_submission", "user": USER, "team": {"id": "T1"}, "view": VIEW}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


PEOPLE: tuple[Any, ...] = ("U1", [], None, {}, {"id": 5, "team_id": "T1"}, {"id": "U1", "team_id": 1})
ACTIONS: tuple[Any, ...] = ({}, [], ["x"], [{}], [{"action_id": 4}])
EVENTS: tuple[Any, ...] = ("x", [], None)
MALFORMED: list[dict[str, Any]] = [
    {},
    {"type": 5},
    {"type": "block_actions"},
    without(CLICK, "user"),
    without(CLICK, "actions"),
    *({**CLICK, "user": user} for user in PEOPLE),
    *({**CLICK, "actions": actions} for actions in ACTIONS),
    *({**CLICK, name: "x"} for name in ("channel", "container", "message", "team")),
    {**CLICK, "response_url": 5},
    without(SUBMISSION, "view"),
    without(SUBMISSION, "user"),
    *({**SUBMISSION, "view": view} for view in ("x", None, {}, {**VIEW, "state": "x"}, {**VIEW, "callback_id": 4})),
    {**SUBMISSION, "view": {**VIEW, "state": {"values": [1]}}},
    {**SUBMISSION, "view": {**VIEW, "private_metadata": []}},
]
NO_OBJECTS: tuple[Any, ...] = ([], "x", None, 5)
BODIES = [
    *((FORM, urlencode({"payload": json.dumps(body)})) for body in (*MALFORMED, *NO_OBJECTS)),
    (FORM, ""),
    (FORM, "payload=%7Bx"),
    (FORM, "command=/spectra"),
    (FORM, "command=/spectra&team_id=T1&channel_id=C1"),
    *((JSON, body) for body in ("[]", '"x"', "{", "{}", "null", "[" * 100_000)),
    *((JSON, json.dumps({"type": "event_callback", "event": event})) for event in EVENTS),
    (JSON, json.dumps({"type": "event_callback", "authorizations": "x", "event": {"type": "a"}})),
]


async def test_a_signed_body_that_is_malformed_is_refused_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="handlers")
    answers = {}
    async with a_bot(tmp_path / "s.db", [ask()]) as bot, aiohttp.ClientSession() as session:
        run_id = await bot.ask("ask")
        message = await bot.question()
        for kind, text in BODIES:
            now = str(int(time.time()))
            headers = {
                "Content-Type": kind,
                "X-Slack-Request-Timestamp": now,
                "X-Slack-Signature": sign(bot.slack.signing_secret, now, text.encode()),
            }
            async with session.post(bot.slack.app_url, data=text.encode(), headers=headers) as answer:
                answers[text[:200]] = answer.status

        assert {text: status for text, status in answers.items() if status != 400} == {}
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(bot.now(message))
    assert caplog.messages.count("request refused: malformed") == len(BODIES)
    assert SECRET not in caplog.text


def test_what_slack_sends_is_well_formed() -> None:
    assert is_well_formed(CLICK)
    assert is_well_formed({**CLICK, "team": None, "user": {"id": "U1"}})
    assert is_well_formed(SUBMISSION)
    assert is_well_formed({"type": "shortcut"})
    assert is_well_formed({"command": "/spectra", "user_id": "U1", "channel_id": "C1"})
