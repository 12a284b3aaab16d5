"""A message with a row for each question: within Slack's limits in every state, and each row says what it is about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.slack.rows import MAX_ROWS, Row, how_many_fit, rows_message
from spectra_bot import InterruptRequest, InterruptResponse, InterruptStatus
from tests.unit.slack.limits import check_message, markup, texts
from tests.unit.slack.questions import ASKED_AT, answer
from tests.unit.slack.test_blocks import HOSTILE, JSON, many_requests
from tests.unit.slack.test_tool_calls import SPENT, hostile_calls, of_call


def decided(request: InterruptRequest) -> InterruptResponse:
    return answer(request, request.options[0].id, notes="n" * 5_000, data={"a": "<" * 9_000, "b": ["x"] * 900})


def check_all_states(requests: list[InterruptRequest]) -> None:
    fit = requests[: how_many_fit(requests)]
    nobody = InterruptResponse(status=InterruptStatus.TIMED_OUT, responded_at=ASKED_AT, notes=HOSTILE)
    for decided_rows in (0, 1, len(fit)):
        rows = [
            Row(request=request, response=decided(request) if number < decided_rows else None)
            for number, request in enumerate(fit)
        ]
        check_message(rows_message(rows))
    check_message(rows_message([Row(request=request) for request in fit], bare=True))
    check_message(rows_message([Row(request=request, response=nobody) for request in fit]))


@pytest.mark.parametrize("request_", many_requests()[::2], ids=lambda request: f"{len(str(request.data))}")
def test_every_state_of_every_row_keeps_to_slacks_limits(request_: InterruptRequest) -> None:
    check_all_states([request_, of_call(1), of_call(2, why="else"), *([request_] * 4)])


def test_hostile_calls_keep_to_slacks_limits() -> None:
    calls = hostile_calls()
    for first in range(4):
        check_all_states(calls[first:])


@settings(max_examples=25, deadline=None)
@given(data=st.dictionaries(st.text(max_size=100), JSON, max_size=30), why=st.text(max_size=400))
def test_any_arguments_make_rows_that_slack_takes(data: dict[str, Any], why: str) -> None:
    arguments = json.loads(json.dumps(data))

    check_all_states([of_call(0, arguments=arguments, why=why), of_call(1, arguments=arguments)])


def test_plain_calls_stand_together_up_to_the_most() -> None:
    calls = [of_call(number) for number in range(20)]

    assert how_many_fit(calls) == MAX_ROWS
    assert how_many_fit(calls[:3]) == 3
    assert how_many_fit(calls[:1]) == 1


def test_hostile_values_ping_nobody_and_forge_no_link() -> None:
    calls = hostile_calls()[:3]

    message = rows_message([Row(request=call) for call in calls])

    for text in [*markup(message.blocks), message.text]:
        for mark in ("<!channel", "<!here", "<@U1BOB", "<https://evil"):
            assert mark not in text


def test_what_all_rows_share_is_told_once() -> None:
    message = rows_message([Row(request=of_call(number)) for number in range(3)])

    shown = [text for _, text in texts(message.blocks)]
    assert shown.count("Because.") == 1
    assert sum(SPENT in text for text in shown) == 1


def test_rows_of_different_reasons_tell_each_its_own() -> None:
    message = rows_message([Row(request=of_call(0)), Row(request=of_call(1, why="Else."))])

    shown = [text for _, text in texts(message.blocks)]
    assert ("Because." in shown, "Else." in shown) == (True, True)


def test_text_of_the_message_tells_each_row_for_a_screen_reader() -> None:
    first, second = of_call(0), of_call(1)

    text = rows_message([Row(request=first, response=answer(first)), Row(request=second)]).text

    assert text.startswith("1 of 2 decisions is still needed")
    assert "•  The agent wants to call delete: ✅ *Approve* by <@U2BOB>" in text
    assert "/1" in text
