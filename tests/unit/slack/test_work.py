"""What a thread shows of a run at work keeps to Slack's limits, and pings nobody."""

from __future__ import annotations

from handlers.slack.work import MOST_CALLS, StepAtWork, work_message
from spectra_bot import RunUpdate
from tests.unit.slack.limits import check_message, markup, texts
from tests.unit.slack.test_blocks import HOSTILE


def told(text: str, about: str | None = None, event: str = "StepProgress") -> RunUpdate:
    return RunUpdate(run_id="r-1", event=event, step="work", text=text, about=about)


def test_newest_calls_have_a_line_each_and_say_what_came_of_them() -> None:
    work = StepAtWork()
    for number in range(15):
        work.take(told(f"look(what={number})", f"call {number}"))
        if number % 2:
            work.take(told(f"look: saw {number}", f"call {number}"))

    [calls] = [text for _, text in texts(work_message({"work": work}).blocks) if "look" in text]

    lines = calls.splitlines()
    assert len(lines) == MOST_CALLS
    assert lines[-2:] == ["• look: saw 13", "… look(what=14)"]


def test_hostile_text_keeps_to_the_limits_and_pings_nobody() -> None:
    works = {HOSTILE + str(number): StepAtWork() for number in range(9)}
    for work in works.values():
        work.take(told(HOSTILE * 1_000))
        for number in range(30):
            work.take(told(HOSTILE * 100, str(number)))

    message = work_message(works)

    check_message(message)
    for text in [*markup(message.blocks), message.text]:
        for mark in ("<!channel", "<@U1BOB", "<https://evil"):
            assert mark not in text


def test_secrets_are_masked() -> None:
    work = StepAtWork()
    work.take(told("uses xoxb-12345678-abcdefgh"))
    work.take(told("call(token=xoxb-12345678-abcdefgh)", "a"))

    message = work_message({"work": work})

    assert "abcdefgh" not in message.text + str(message.blocks)
