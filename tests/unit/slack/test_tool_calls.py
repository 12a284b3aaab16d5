"""A question about an agent's call: the tool, its arguments before and after an edit, why, and the cost so far."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.slack.blocks import approval, closed
from spectra_bot import InterruptRequest
from tests.unit.slack.limits import check_message, markup, texts
from tests.unit.slack.questions import answer, question
from tests.unit.slack.test_blocks import HOSTILE, JSON

SPENT = "3 iterations, 2 tool calls, 1,234 tokens, $0.02"


def of_call(
    number: int = 0,
    *,
    arguments: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    problem: str | None = None,
    why: str = "Because.",
    spent: str = SPENT,
) -> InterruptRequest:
    """A question about an agent's call."""
    data: dict[str, Any] = {"tool": "delete", "arguments": {"path": f"/{number}"} if arguments is None else arguments}
    if before is not None:
        data["arguments before"] = before
    if problem is not None:
        data["could not be used"] = problem
    data |= {"why": why, "so far": spent}
    return question("The agent wants to call delete", data=data, stamped={"id": f"i-{number}", "group": "i-0"})


def hostile_calls() -> list[InterruptRequest]:
    """Calls at and past the limits, with nothing in common."""
    arguments: list[dict[str, Any]] = [
        {HOSTILE: HOSTILE, "long": "x" * 300_000},
        {f"argument {number}": f"value {number}" for number in range(50)},
        {"lines": "<@U1BOB> ```\n" * 5_000, "deep": {"er": [{"list": list(range(500))}] * 30}},
        {},
    ]
    return [
        of_call(
            number,
            arguments=given,
            why=HOSTILE * 100 + str(number),
            spent=str(number),
            before=arguments[number % 4 - 1] if number % 2 else None,
            problem=HOSTILE * 100 if number % 2 else None,
        )
        for number, given in enumerate(arguments * 3)
    ]


def test_hostile_calls_keep_to_slacks_limits_and_ping_nobody() -> None:
    for call in hostile_calls()[:4]:
        check_message(closed(call, answer(call, "reject", notes="n" * 5_000)))
        message = approval(call)
        check_message(message)
        for text in [*markup(message.blocks), message.text]:
            for mark in ("<!channel", "<!here", "<@U1BOB", "<https://evil"):
                assert mark not in text


@settings(max_examples=50, deadline=None)
@given(data=st.dictionaries(st.text(max_size=100), JSON, max_size=30), why=st.text(max_size=400))
def test_any_arguments_make_a_message_that_slack_takes(data: dict[str, Any], why: str) -> None:
    arguments = json.loads(json.dumps(data))
    before = dict(list(arguments.items())[::2])

    check_message(approval(of_call(arguments=arguments, before=before, why=why)))


def test_secrets_among_arguments_are_masked_before_and_after() -> None:
    call = of_call(
        arguments={"token": "xoxb-12345678-abcdefgh", "log": "a\nxoxb-12345678-abcdefgh"},
        why="uses xoxb-12345678-abcdefgh",
        before={"token": "xoxb-87654321-abcdefgh", "log": "a\nxoxb-87654321-abcdefgh"},
    )

    message = approval(call)

    assert "abcdefgh" not in json.dumps(message.blocks) + message.text


def test_edited_call_is_shown_before_and_after() -> None:
    before = {"path": "/a", "force": True, "note": "one\ntwo\nthree", "gone": 1}
    after = {"path": "/b", "force": True, "note": "one\nTWO\nthree", "new": [1]}
    message = approval(of_call(arguments=after, before=before))

    shown = [text for _, text in texts(message.blocks)]
    diff = "- path: /a\n+ path: /b\n  note: |\n    one\n-   two\n+   TWO\n    three\n- gone: 1\n+ new:\n+   - 1"
    assert diff in shown
    assert "*force*\ntrue" in shown


def test_change_of_a_secret_is_told_and_not_shown() -> None:
    before = {"user": "ada", "password": "hunter2"}
    message = approval(of_call(arguments={**before, "password": "hunter3"}, before=before))

    shown = [text for _, text in texts(message.blocks)]
    assert "  password: what is masked here was changed" in shown
    assert not any("hunter" in text for text in shown)


def test_parts_of_a_long_text_that_changed_are_told_apart() -> None:
    lines = [f"line {number}" for number in range(30)]
    after = ["first", *lines[1:29], "last"]
    message = approval(of_call(arguments={"text": "\n".join(after)}, before={"text": "\n".join(lines)}))

    [diff] = [text for _, text in texts(message.blocks) if text.startswith("  text: |")]
    assert diff.splitlines() == [
        "  text: |", "-   line 0", "+   first", "    line 1", "    line 2", "  …",
        "    line 27", "    line 28", "-   line 29", "+   last",
    ]  # fmt: skip


def test_tool_reason_and_cost_of_a_call_are_told_in_a_message_of_its_own() -> None:
    message = approval(of_call(arguments={"path": "/a", "sql": "select 1\nfrom x"}))

    shown = [text for _, text in texts(message.blocks)]
    assert "🔧 `delete`" in shown
    assert "*path*\n/a" in shown
    assert "select 1\nfrom x" in shown
    assert "Because." in shown
    assert f"🪙 So far: {SPENT}" in shown
