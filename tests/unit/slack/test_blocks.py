"""The message of an interrupt, open and closed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from handlers.slack.blocks import approval, closed
from handlers.slack.buttons import PressedButton, read_button
from handlers.slack.outcome import outcome
from handlers.slack.verdicts import over
from spectra_bot import (
    Difference,
    InterruptOption,
    InterruptRecord,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunResult,
    RunStatus,
)
from spectra_bot.run_inputs import MAX_ID
from tests.unit.slack.limits import check_message, markup, texts
from tests.unit.slack.questions import ASKED_AT, answer, question

REPLACED = InterruptResponse(status=InterruptStatus.CANCELLED).model_copy(update={"superseded_by": "i-2"})
HOSTILE = "<!channel> <@U1BOB> *b* _i_ ~s~ ``` `c` <https://evil.example|Approve> & &amp; :tada: \u202e"
DIFF = "--- a/app.yaml\n+++ b/app.yaml\n@@ -1,2 +1,2 @@\n name: app\n-replicas: 2\n+replicas: 3\n"

LENGTHS = (0, 1, 3_000, 300_000)
MATERIALS = ("x", "<", "`", "&", "\n", "ä ", "💥", "*_~", "\u202e", "--- a\n+++ b\n@@ x\n", "\x00")


def many_requests() -> list[InterruptRequest]:
    """Questions at and past the limits."""
    texts_of_each = [(stuff * length)[:length] for length in LENGTHS for stuff in MATERIALS]
    requests = [question(data={"value": text}) for text in texts_of_each]
    requests += [question(data={"a": text, "c": [text], "d": {"e": text[:9_000]}}) for text in texts_of_each[::3]]
    requests += [question(data={f"key {n}": n for n in range(count)}) for count in (0, 1, 10, 11, 49, 50, 500)]
    requests += [question(data={f"{n} " + "k" * 200: "v\n" * 300 for n in range(count)}) for count in (1, 60)]
    requests += [question(reason=(stuff * 3_000)[:3_000]) for stuff in ("r", "<", "*", "r\n", "word ") if stuff.strip()]
    requests += [question(reason=HOSTILE, data={HOSTILE: HOSTILE, "list": [HOSTILE] * 50, "deep": _deep(60)})]
    requests += [question(options=[_longest_option(n) for n in range(25)], data={"x": "y" * 300_000})]
    requests += [question(options=[_longest_option(0)], data={"x": "y" * 300_000, "z": ["line"] * 5_000})]
    everything: dict[str, Any] = {
        "deadline": ASKED_AT + timedelta(days=1),
        "replaces": "i-1",
        "changed": tuple(Difference(path=f"data.{'k' * 200}{n}", before="<" * 300, after=HOSTILE) for n in range(60)),
    }
    approvers = [f"U{n:010}" for n in range(200)] + ["<!channel>" * 30]
    requests += [
        question(
            reason="r" * 3_000,
            data={"x": "y" * 300_000},
            options=[_longest_option(n) for n in range(25)],
            timeout=timedelta(days=1),
            default_option="0" + "o" * 62,
            approvers=approvers,
            stamped=everything,
        )
    ]
    return requests


def _longest_option(number: int) -> InterruptOption:
    return InterruptOption(f"{number}" + "o" * (63 - len(str(number))), "L" * 75, confirm="c" * 300, style="danger")


def _deep(depth: int) -> dict[str, Any]:
    return {"in": _deep(depth - 1)} if depth else {"end": "x"}


@pytest.mark.parametrize("request_", many_requests(), ids=lambda request: f"{len(str(request.data))}")
def test_every_form_of_a_message_keeps_to_slacks_limits(request_: InterruptRequest) -> None:
    option = request_.options[0].id
    decided = answer(request_, option, notes="n" * 5_000, data={"a": "<" * 9_000, "b": ["x"] * 900})

    check_message(approval(request_))
    check_message(approval(request_, bare=True))
    check_message(closed(request_, decided, working=True))
    check_message(closed(request_, decided, bare=True))
    for status in (InterruptStatus.TIMED_OUT, InterruptStatus.CANCELLED):
        check_message(closed(request_, InterruptResponse(status=status, responded_at=ASKED_AT, notes=HOSTILE)))
    outputs: dict[str, Any] = {f"step-{n}": request_.data for n in range(3)}
    for end in RunStatus:
        error = HOSTILE * 500 if end is RunStatus.FAILED else None
        check_message(outcome(RunResult(run_id="r-1", workflow="w", status=end, outputs=outputs, error=error)))


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=200), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=90), inner, max_size=5)),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(st.text(max_size=100), JSON, max_size=30), reason=st.text(min_size=1, max_size=400))
def test_any_data_and_reason_make_a_message_that_slack_takes(data: dict[str, Any], reason: str) -> None:
    request = question(reason, data=json.loads(json.dumps(data)))

    check_message(approval(request))
    check_message(closed(request, answer(request, "reject", notes=reason)))


def test_hostile_data_pings_nobody_and_forges_no_link() -> None:
    request = question(HOSTILE, data={HOSTILE: HOSTILE, "note": "<!here>", "code": "```\n<!channel>"})

    message = approval(request)

    for text in [*markup(message.blocks), message.text]:
        for mark in ("<!channel", "<!here", "<@U1BOB", "<https://evil"):
            assert mark not in text


def test_data_in_a_code_block_stands_as_it_is() -> None:
    message = approval(question(data={"script": "```\nrm *\n```"}))

    assert ("text", "```\nrm *\n```") in list(texts(message.blocks))


def test_secrets_are_masked_in_the_blocks_and_in_the_text() -> None:
    request = question(
        data={"password": "hunter2", "log": "token xoxb-12345678-abcdefgh"}, reason="Use xoxb-12345678-abcdefgh?"
    )

    shown = json.dumps([approval(request).text, *approval(request).blocks])

    assert "hunter2" not in shown
    assert "xoxb-12345678" not in shown


def test_a_cut_says_how_much_is_left_out_and_how_to_see_it() -> None:
    message = approval(question(data={"log": "line\n" * 60_000}))

    (notice,) = [text for _, text in texts(message.blocks) if text.startswith("Cut here")]
    assert "of 300,000 characters" in notice
    assert "spectra-bot show r-4f2a --json" in notice


@pytest.mark.parametrize("times", [3, 3_000])
def test_a_diff_is_counted_as_a_whole(times: int) -> None:
    message = approval(question(data={"diff": DIFF * times}))

    assert f"  {times} files, +{times:,} -{times:,} lines" in [text for _, text in texts(message.blocks)]


@pytest.mark.parametrize("before", [0, 2_000, 6_900])
def test_a_secret_across_a_cut_is_masked(before: int) -> None:
    secret = "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 600 + "-----END PRIVATE KEY-----\n"

    message = approval(question(data={"log": "." * before + secret + "." * 90_000}))

    assert "QUJD" not in json.dumps([message.text, *message.blocks])


def test_a_button_stands_for_its_option() -> None:
    request = question(options=("approve", "reject", InterruptOption("hold", "Hold it", confirm="Really hold?")))

    *_, row = approval(request).blocks

    assert row["type"] == "actions"
    buttons: Any = row["elements"]
    assert [button["text"]["text"] for button in buttons] == ["Approve", "Reject", "Hold it"]
    assert [button.get("style") for button in buttons] == ["primary", "danger", None]
    assert [button["confirm"]["text"]["text"] for button in buttons if "confirm" in button] == ["Really hold?"]
    pressed = read_button(buttons[2]["value"])
    assert pressed is not None
    assert (pressed.interrupt_id, pressed.option_id) == ("i-7k2m9", "hold")


class Why(BaseModel):
    why: str


@pytest.mark.parametrize("mark", ["i", "😀", '"', "\x01"])
def test_a_button_of_the_longest_run_id_is_one_that_slack_takes(mark: str) -> None:
    request = question(options=("approve", InterruptOption(mark * 64, form=Why)))
    request = request.model_copy(update={"id": f"i-{'0' * 14}.{mark * MAX_ID}"})

    message = approval(request)

    check_message(message)
    row: Any = message.blocks[-1]
    assert read_button(row["elements"][1]["value"]) == PressedButton(
        interrupt_id=request.id, option_id=mark * 64, has_form=True
    )


@pytest.mark.parametrize("value", [None, "", "approve", "[]", "{}", '{"interrupt": 1, "option": "a"}', "{"])
def test_a_value_of_another_app_stands_for_nothing(value: str | None) -> None:
    assert read_button(value) is None


def test_the_text_holds_the_whole_question_for_a_screen_reader() -> None:
    request = question(
        data={"env": "prod"},
        timeout=timedelta(days=1),
        approvers=("U2BOB",),
        stamped={"deadline": ASKED_AT + timedelta(days=1)},
    )

    text = approval(request).text

    for part in ("Deployment plan requires approval", "env: prod", "deploy", "`r-4f2a`", "<@U1ALICE>", "<@U2BOB>"):
        assert part in text
    assert "Approve, Reject" in text
    assert "<!date^1763992980^" in text


@pytest.mark.parametrize(
    ("default", "then"), [("reject", "then *Reject* applies by itself"), (None, "then it counts as *nobody decided*")]
)
def test_a_deadline_says_what_happens_then(default: str | None, then: str) -> None:
    request = question(
        timeout=timedelta(days=1), default_option=default, stamped={"deadline": ASKED_AT + timedelta(days=1)}
    )

    (terms,) = [text for text in markup(approval(request).blocks) if "Decide by" in text]

    assert "<!date^1763992980^" in terms
    assert then in terms


def test_a_question_that_stands_in_for_another_says_what_changed() -> None:
    changed = (
        Difference(path="data.replicas", before="2", after="3"),
        Difference(path="data.note", after="<!channel> `x`"),
        Difference(path="data.hosts[1]", before="db-1"),
        Difference(path="data.token", before="xoxb-1234567890-abc", after="xoxb-1234567890-def"),
        Difference(path="data.old"),
    )
    message = approval(question(stamped={"replaces": "i-1", "changed": changed}))

    said = "\n".join(markup(message.blocks))
    assert "Asked again, because it changed.* The earlier answer (to `i-1`) does not count." in said
    assert "`replicas`: 2 → 3" in said
    assert "`note` is new: `&lt;!channel&gt;" in said
    assert "`hosts[1]` is gone; it was db-1" in said
    assert "xoxb" not in said
    assert "•  `old`\n" in f"{said}\n"


def test_an_answer_whose_question_changed_afterwards_is_told_to_count_no_more() -> None:
    request = question()
    message = closed(request, answer(request).model_copy(update={"superseded_by": "i-2"}))

    assert "this answer does not count" in message.text
    assert "*Approve* by <@U2BOB>" in message.text


def test_a_late_click_on_a_question_that_changed_is_told_so() -> None:
    request = question()
    record = InterruptRecord(request=request, response=answer(request), superseded_by="i-2")

    said = over(record)

    assert said is not None
    assert "*Approve* by <@U2BOB>" in said
    assert "The question changed afterwards: this answer does not count, and it is asked anew." in said


def test_a_decided_question_tells_what_who_when_and_why_and_has_no_buttons() -> None:
    request = question(options=("approve", "modify"))
    response = answer(request, "modify", notes="two are enough", data={"notes": "two are enough", "replicas": 2})

    message = closed(request, response)

    assert "actions" not in [block["type"] for block in message.blocks]
    decision = "💬 *Modify* by <@U2BOB> · <!date^1763907120^{date_short_pretty} at {time}|2025-11-23 14:12 UTC>"
    assert decision in markup(message.blocks)
    assert message.text.startswith(decision)
    assert "two are enough" in message.text
    assert "*replicas*\n2" in markup(message.blocks)
    assert [text for _, text in texts(message.blocks)].count("two are enough") == 1


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (InterruptResponse(status=InterruptStatus.TIMED_OUT, option="reject"), "*Reject* applied by itself."),
        (InterruptResponse(status=InterruptStatus.TIMED_OUT), "no answer was recorded."),
        (InterruptResponse(status=InterruptStatus.CANCELLED, notes="step plan failed"), "*No longer needed*"),
        (REPLACED, "*Replaced by a newer question*"),
    ],
)
def test_a_question_that_nobody_answered_says_how_it_ended(response: InterruptResponse, said: str) -> None:
    message = closed(question(), response)

    assert said in message.text
    assert any(said in text for text in markup(message.blocks))


def test_a_cancelled_question_mentions_who_cancelled_it() -> None:
    why = "cancelled by slack:T1/U2BOB: wrong <branch>"

    message = closed(question(), InterruptResponse(status=InterruptStatus.CANCELLED, notes=why))

    assert "slack:T1" not in json.dumps(message.blocks)
    quote: Any = next(block for block in message.blocks if block["type"] == "rich_text")
    assert quote["elements"][1]["elements"] == [
        {"type": "text", "text": "cancelled by "},
        {"type": "user", "user_id": "U2BOB"},
        {"type": "text", "text": ": wrong <branch>"},
    ]


def test_the_text_of_a_cancelled_question_mentions_too() -> None:
    why = "cancelled by slack:T1/U2BOB: wrong branch"

    message = closed(question(), InterruptResponse(status=InterruptStatus.CANCELLED, notes=why))

    assert "Why: cancelled by <@U2BOB>: wrong branch" in message.text


def test_a_persons_note_is_quoted_as_it_was_written() -> None:
    request = question()

    message = closed(request, answer(request, notes="as slack:T1/U2BOB said"))

    assert "as slack:T1/U2BOB said" in json.dumps(message.blocks)


def test_a_decision_that_is_stored_says_that_the_run_goes_on() -> None:
    request = question()

    assert any("The run goes on" in text for text in markup(closed(request, answer(request), working=True).blocks))
    assert not any("The run goes on" in text for text in markup(closed(request, answer(request)).blocks))


def test_a_failed_run_says_why_and_how_to_go_on() -> None:
    result = RunResult(run_id="r-1", workflow="deploy", status=RunStatus.FAILED, error="apply: <boom>")

    message = outcome(result)

    assert "apply: &lt;boom&gt;" in message.text
    assert ("text", "apply: <boom>") in list(texts(message.blocks))
    assert any("`/spectra retry r-1`" in text for text in markup(message.blocks))


def test_a_rejected_run_mentions_who_rejected_it() -> None:
    result = RunResult(
        run_id="r-1", workflow="deploy", status=RunStatus.FAILED, error="reject by slack:T1/U2: too risky"
    )

    message = outcome(result)

    assert "reject by <@U2>: too risky" in markup(message.blocks)
    assert "reject by <@U2>: too risky" in message.text


def test_small_outputs_stand_on_one_line() -> None:
    outputs: dict[str, Any] = {"apply": {"shipped": True, "files": 3}, "nothing": None, "plan": {"changes": ["a"]}}
    result = RunResult(run_id="r-1", workflow="deploy", status=RunStatus.COMPLETED, outputs=outputs)

    message = outcome(result)

    assert "*apply*\nshipped: true, files: 3" in markup(message.blocks)
    assert ("text", "changes:\n  - a") in list(texts(message.blocks))
