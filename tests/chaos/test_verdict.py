"""The judge of the kills is shown evidence in which one promise is broken."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from spectra_bot import InterruptRecord, InterruptRequest, InterruptResponse, InterruptStatus
from spectra_bot.runs import DeliveryRecord
from spectra_bot.testing import Message, MessageVersion
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.crowd import Click
from tests.chaos.killing.evidence import Evidence, Execution
from tests.chaos.killing.verdict import figures, problems

PLACE = ("r-1", "plan", 1, "reserve")
BUTTONS = ({"type": "actions", "elements": []},)


def record(responder: str = "slack:T1/U1", at: float = 100.0) -> InterruptRecord:
    """An approval, and its settled message."""
    moment = datetime.fromtimestamp(at, UTC)
    return InterruptRecord(
        request=InterruptRequest(reason="Go?", options=("approve", "reject")).model_copy(update={"id": "i-1"}),
        response=InterruptResponse(
            status=InterruptStatus.APPROVED, option="approve", responder=responder, responded_at=moment
        ),
        deliveries=(
            DeliveryRecord(handler="slack", receipt={"ts": "1"}, delivered_at=moment, settled_at=moment, attempts=1),
        ),
    )


def message(ts: str = "1", blocks: Any = (), at: float = 90.0) -> Message:
    version = MessageVersion(text="Go?", blocks=blocks, metadata={"event_payload": {"interrupt_id": "i-1"}}, at=at)
    return Message(channel="C1", ts=ts, bot_id="B1", bot_user_id="UBOT", versions=(version,))


def click(user: str = "U1", acked_at: float | None = 101.0) -> Click:
    return Click(interrupt_id="i-1", option="approve", user=user, sent_at=99.0, acked_at=acked_at)


def execution(token: str = "1-a", pid: int = 1, begun_at: float = 80.0, done_at: float | None = 80.1) -> Execution:  # noqa: S107  it names an execution
    return Execution(place=PLACE, token=token, pid=pid, begun_at=begun_at, done_at=done_at)


def strike(number: signal.Signals, pid: int, at: float, lasted_s: float = 0.0) -> Strike:
    return Strike(signal=number, pid=pid, at=at, until=at + lasted_s)


GOOD = Evidence(
    integrity="ok",
    runs={"r-1": ("completed", False, "")},
    interrupts={"i-1": record()},
    decisions=Counter({"i-1": 1}),
    stored={PLACE: ["1-a"]},
    executions=[execution()],
    kept=[(PLACE, "1-a", 80.2)],
    outside_once=[execution("1-t", done_at=80.0)],
    messages=[message()],
    told=[],
    clicks=[click(), click("U2", acked_at=None)],
    started=["r-1"],
    strikes=[],
    errors=[],
)
AGAIN = [execution("2-b", pid=2, begun_at=70.0, done_at=70.05), execution()]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"integrity": "row 7 missing from index"}, "integrity_check"),
        ({"runs": {"r-1": ("running", True, "")}}, "stuck"),
        ({"runs": {"r-1": ("failed", False, "plan: KeyError")}}, "nobody rejected"),
        ({"started": ["r-1", "r-2"]}, "r-2 is lost"),
        ({"decisions": Counter({"i-1": 2})}, "2 decisions"),
        ({"interrupts": {"i-1": record(at=101.5)}}, "was acked and is lost"),
        ({"interrupts": {"i-1": record().model_copy(update={"response": None})}}, "still open"),
        ({"interrupts": {"i-1": record("slack:T1/U9")}}, "did not click"),
        ({"interrupts": {}}, "not stored"),
        ({"stored": {PLACE: ["1-a", "1-a"]}}, "stored 2 times"),
        ({"kept": [(PLACE, "2-b", 80.2)]}, "went on with 2-b"),
        ({"executions": AGAIN}, "nobody struck it"),
        ({"executions": AGAIN, "strikes": [strike(signal.SIGKILL, 1, 70.1)]}, "nobody struck it"),
        ({"executions": AGAIN, "strikes": [strike(signal.SIGKILL, 2, 79.0)]}, "nobody struck it"),
        ({"executions": AGAIN, "strikes": [strike(signal.SIGTERM, 2, 70.1)]}, "nobody struck it"),
        ({"executions": AGAIN, "strikes": [strike(signal.SIGSTOP, 2, 70.0, lasted_s=1.0)]}, "nobody struck it"),
        (
            {
                "executions": [execution(), execution("2-b", pid=2, begun_at=81.0)],
                "strikes": [strike(signal.SIGKILL, 2, 81.05)],
            },
            "after its result was stored",
        ),
        ({"outside_once": []}, "without its effect"),
        ({"outside_once": AGAIN}, "done again, and nobody struck 2"),
        ({"messages": [message(blocks=BUTTONS)]}, "still has buttons"),
        ({"messages": [message(), message("2")]}, "asked twice"),
        ({"errors": ["ERROR spectra_bot.embedded.commands: command ended with an error"]}, "a bot said"),
    ],
)
def test_broken_promise_is_told(broken: dict[str, Any], said: str) -> None:
    [problem] = set(problems(replace(GOOD, **broken)))

    assert said in problem


@pytest.mark.parametrize(
    "strikes",
    [
        pytest.param([strike(signal.SIGKILL, 2, 70.2)], id="killed before it was stored"),
        pytest.param(
            [strike(signal.SIGSTOP, 2, 70.1, lasted_s=3.5), strike(signal.SIGKILL, 2, 73.6)],
            id="stood still until it was killed",
        ),
        pytest.param([strike(signal.SIGSTOP, 2, 69.9, lasted_s=8.0)], id="stood still past its lease"),
    ],
)
def test_effect_that_is_repeated_inside_the_window_is_counted(strikes: list[Strike]) -> None:
    found = replace(GOOD, executions=AGAIN, strikes=strikes)

    assert list(problems(found)) == []
    assert figures(found)["effects repeated inside the window"] == 1


def test_question_that_stands_twice_because_its_process_was_killed_is_counted() -> None:
    found = replace(GOOD, messages=[message(), message("2")], strikes=[strike(signal.SIGKILL, 1, 90.2)])

    assert list(problems(found)) == []
    assert figures(found)["questions that stood twice"] == 1


def test_kept_promises_are_no_problem() -> None:
    assert list(problems(GOOD)) == []
    assert figures(GOOD)["people whose answer counted"] == 1
