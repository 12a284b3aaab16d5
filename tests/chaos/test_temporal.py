"""A few rounds of `python -m tests.chaos.temporal`, and its judge shown evidence in which one promise is broken."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.temporal.evidence import Found, Outage
from tests.chaos.temporal.rounds import FAULTS, carry_out, plan
from tests.chaos.temporal.verdict import DROPPED, GOES_ON, begun_elsewhere_s, decided_again_s, figures, problems
from tests.chaos.test_verdict import AGAIN, GOOD, PLACE, execution, message, record, strike

NOT_RECORDED = "2026-11-23 15:40:41,161 ERROR handlers.slack.actions: click not recorded by=slack:T1/U1"
FOUND = Found(
    evidence=GOOD,
    outages=[],
    executions=Counter({"r-1": 1}),
    turns_again=[],
    ends_told=[[message("2", at=110.0)]],
    waited=[("r-1", "completed")],
    may_look=False,
)


def found(*, outages: Any = (), ends_told: Any = None, **of_evidence: Any) -> Found:
    """The good evidence with something else in it."""
    return replace(
        FOUND,
        evidence=replace(GOOD, **of_evidence),
        outages=outages,
        ends_told=FOUND.ends_told if ends_told is None else ends_told,
    )


async def test_nothing_is_lost_and_nothing_done_twice_when_workers_bots_and_temporal_are_killed(tmp_path: Path) -> None:
    report = await carry_out([["worker", "server", "serve"]], "1", tmp_path)

    assert not report.problems, "\n".join(report.problems)
    assert (report.counted["workers killed"], report.counted["server killed"]) == (2, 1)
    assert report.counted["runs completed"] > 0
    assert report.counted["people whose answer counted"] > 0
    assert report.counted["runs in more than one history"] > 0


def test_rounds_are_spread_over_sessions() -> None:
    assert [len(session) for session in plan("serve", 25)] == [10, 10, 5]
    assert {fault for session in plan("serve", 25) for fault in session} == {"serve"} < set(FAULTS)


def test_kept_promises_are_no_problem() -> None:
    assert list(problems(FOUND)) == []
    assert figures(FOUND)["ends told"] == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(found(decisions=Counter({"i-1": 2})), "2 decisions", id="two winners"),
        pytest.param(found(interrupts={"i-1": record(at=101.5)}), "was acked and is lost", id="lost answer"),
        pytest.param(found(executions=AGAIN), "nobody struck it", id="repeated effect"),
        pytest.param(
            found(executions=AGAIN, outages=[Outage(at=69.0, until=71.0)]), "nobody struck it", id="short outage"
        ),
        pytest.param(found(integrity="r-1: Nondeterminism error"), "Nondeterminism", id="run that can't go on"),
        pytest.param(replace(found(runs={"r-1": ("interrupted", True, "")}), waited=[]), "stuck", id="stuck run"),
        pytest.param(replace(FOUND, waited=[("r-1", "failed")]), "who waited", id="wait that was told wrong"),
        pytest.param(
            found(ends_told=[[message("2", at=110.0), message("3", at=117.0)]]), "told twice", id="end told twice"
        ),
        pytest.param(
            replace(
                found(messages=[message(), message("2")], strikes=[strike(signal.SIGKILL, 1, 90.2)]), may_look=True
            ),
            "though the bot may look",
            id="question twice where the bot may look",
        ),
        pytest.param(found(errors=["2026-11-23 15:40:41,161 ERROR spectra_bot: boom"]), "a bot said", id="error"),
    ],
)
def test_broken_promise_is_told(broken: Found, said: str) -> None:
    [problem] = set(problems(broken))

    assert said in problem


def test_message_that_still_says_that_its_run_goes_on_is_told() -> None:
    blocks = ({"type": "context", "elements": [{"type": "mrkdwn", "text": f"Recorded. {GOES_ON}"}]},)

    [problem] = problems(found(messages=[message(blocks=blocks)]))

    assert "goes on" in problem


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(found(executions=AGAIN, outages=[Outage(at=70.0, until=78.0)]), id="effect in a long outage"),
        pytest.param(
            found(executions=AGAIN, strikes=[strike(signal.SIGKILL, 2, 70.2)]), id="effect of a killed worker"
        ),
        pytest.param(
            found(
                ends_told=[[message("2", at=110.0), message("3", at=117.0)]],
                strikes=[strike(signal.SIGKILL, 1, 110.1)],
            ),
            id="end told by a killed worker",
        ),
        pytest.param(found(errors=[NOT_RECORDED]), id="click that was told so"),
        pytest.param(found(errors=[f"2026-11-23 15:40:41,161 ERROR {DROPPED}"]), id="update that the sdk dropped"),
    ],
)
def test_what_happens_inside_the_window_is_no_problem(inside: Found) -> None:
    assert list(problems(inside)) == []


def test_time_until_an_effect_is_begun_elsewhere_is_from_the_kill_on() -> None:
    evidence = replace(
        GOOD,
        executions=[execution("2-b", pid=2, begun_at=70.0), execution()],
        strikes=[strike(signal.SIGKILL, 2, 72.0)],
    )

    assert begun_elsewhere_s(evidence) == [8.0]
    assert GOOD.stored[PLACE] == ["1-a"]


def test_time_until_a_decision_is_from_the_servers_return_on() -> None:
    outages = [Outage(at=80.0, until=85.0), Outage(at=95.0, until=97.5), Outage(at=101.0, until=102.0)]

    assert decided_again_s(found(outages=outages)) == [2.5]
