"""How a run fails, what it leaves behind, and what a retry takes up again."""

from __future__ import annotations

import pytest

from spectra_bot import InterruptStatus, RunStatus, Workflow
from spectra_bot.graph import Shape
from spectra_bot.machine import Conclude, JudgeBack, JudgeWhen, Phase, RunStep, Settle, StaleEvent
from spectra_bot.machine import events as e
from spectra_bot.machine.endings import MAX_CRASHES
from tests.unit.core.runs import NOW, Driven, always, gate, nothing


def side_by_side() -> Driven:
    """A run whose branches stand in every phase that works or waits: run, ask, judge, decide."""
    workflow = Workflow("w")
    workflow.add("start", nothing)
    workflow.add("breaks", nothing, after="start")
    workflow.add("runs", nothing, after="start")
    workflow.add("asks", nothing, after="start")
    workflow.add("judges", nothing, after="start", when=always)
    workflow.add("decides", nothing, after="start")
    workflow.add("done", nothing, after="start")
    workflow.add("waits", nothing, after=("runs", "asks"))
    workflow.back("decides", to="decides", when=always)
    run = Driven(workflow)
    run.complete("start")
    run.complete("decides", "decided")
    run.complete("done", "well")
    return run


def test_a_failure_stops_all_other_branches_and_closes_their_questions() -> None:
    run = side_by_side()
    asked = run.ask("asks")

    run.fail("breaks", "no space left")

    assert run.phases() == {
        "start": Phase.COMPLETED,
        "breaks": Phase.FAILED,
        "runs": Phase.CANCELLED,
        "asks": Phase.CANCELLED,
        "judges": Phase.CANCELLED,
        "decides": Phase.CANCELLED,
        "done": Phase.COMPLETED,
        "waits": Phase.WAITING,
    }
    assert run.state.error == "breaks: no space left"
    assert run.state.interrupts[asked].closed_why == "step breaks failed: no space left"
    assert run.state.pending() == []


def test_a_failure_has_the_delivered_messages_settled_and_the_end_told() -> None:
    run = side_by_side()
    asked = run.ask("asks")
    run.apply(e.InterruptDelivered(at=run.tick(), interrupt_id=asked, handler="slack", receipt={"ts": "1"}))

    run.fail("breaks")

    assert run.commands() == [Settle(asked, "slack"), Conclude(asked, "slack")]


def test_a_failure_that_quotes_what_is_no_unicode_can_be_stored() -> None:
    event = e.StepFailed(at=NOW, step="reads", visit=1, error="no file named b\udcff")

    stored = e.load("StepFailed", e.dump(event), dict[str, Shape]().__getitem__)

    assert stored == event
    assert event.error == r"no file named b\udcff"


def test_a_retry_takes_each_stopped_step_up_where_it_stopped() -> None:
    run = side_by_side()
    run.ask("asks")
    run.fail("breaks")

    run.retry()

    assert run.state.status is RunStatus.RUNNING
    assert run.state.error is None
    assert run.commands() == [
        RunStep("breaks", 1),
        RunStep("runs", 1),
        RunStep("asks", 1),
        JudgeWhen("judges", 1),
        JudgeBack("decides", 1),
    ]
    assert run.state.outputs["done"] == "well"


def test_a_failed_condition_is_judged_again_by_a_retry() -> None:
    workflow = Workflow("w")
    workflow.add("a", nothing)
    workflow.add("b", nothing, when=always)
    run = Driven(workflow)
    run.complete("a")
    run.fail("b", "when= raised KeyError: 'x'")

    run.retry()

    assert run.commands() == [JudgeWhen("b", 1)]


def test_a_failed_way_back_is_judged_again_and_its_step_does_not_run_again() -> None:
    workflow = Workflow("w")
    workflow.add("a", nothing)
    workflow.back("a", to="a", when=always)
    run = Driven(workflow)
    run.complete("a", "kept")
    run.fail("a", "back() raised KeyError: 'x'")

    run.retry()

    assert run.commands() == [JudgeBack("a", 1)]
    assert run.state.outputs == {"a": "kept"}


def test_a_retry_keeps_approvals_and_plain_answers_and_asks_the_others_again() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    ids = {key: run.ask("asks", key) for key in ("approved", "answered", "rejected", "expired")}
    run.answer(ids["approved"], "approve")
    run.answer(ids["answered"], "modify")
    run.answer(ids["rejected"], "reject")
    run.expire(ids["expired"])
    run.fail("asks", "rejected")

    run.retry()

    assert run.state.questions("asks").keys() == {"approved", "answered"}


def test_a_question_that_a_failure_cancelled_is_asked_again() -> None:
    run = side_by_side()
    asked = run.ask("asks")
    run.fail("breaks")

    run.retry()

    assert run.state.questions("asks") == {}
    response = run.state.interrupts[asked].response
    assert response is not None
    assert response.status is InterruptStatus.CANCELLED


def test_a_retry_keeps_once_results_and_counts_the_error() -> None:
    workflow = Workflow("w")
    workflow.add("ships", nothing)
    run = Driven(workflow)
    run.apply(e.OnceStored(at=run.tick(), step="ships", visit=1, key="ship", value="v1"))
    run.fail("ships")

    run.retry()

    assert run.state.nodes["ships"].once == {"ship": "v1"}
    assert run.state.nodes["ships"].errors == 1


def test_a_once_result_is_never_replaced() -> None:
    workflow = Workflow("w")
    workflow.add("ships", nothing)
    run = Driven(workflow)
    run.apply(e.OnceStored(at=run.tick(), step="ships", visit=1, key="ship", value="v1"))

    with pytest.raises(StaleEvent):
        run.apply(e.OnceStored(at=run.tick(), step="ships", visit=1, key="ship", value="v2"))


def test_an_effect_that_ends_after_its_run_was_cancelled_is_still_remembered() -> None:
    workflow = Workflow("w")
    workflow.add("ships", nothing)
    run = Driven(workflow)
    run.cancel()

    run.apply(e.OnceStored(at=run.tick(), step="ships", visit=1, key="ship", value="v1"))

    assert run.state.nodes["ships"].once == {"ship": "v1"}
    assert run.state.status is RunStatus.CANCELLED


def test_a_question_that_changed_too_often_may_change_once_more_after_a_retry() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    run.answer(run.ask("asks", 0, "Deploy at 10:00?"))
    run.answer(run.ask("asks", 0, "Deploy at 10:01?", replaces="i-1", changes=1))
    run.answer(run.ask("asks", 0, "Deploy at 10:02?", replaces="i-2", changes=2))
    run.fail("asks", "it changed each time the step ran again")

    run.retry()

    question = run.state.questions("asks")[0]
    assert question.request.reason == "Deploy at 10:02?"
    assert question.changes == 0


def test_only_a_failed_run_is_retried() -> None:
    run = side_by_side()

    with pytest.raises(StaleEvent):
        run.retry()


def test_a_cancelled_run_says_by_whom_and_why() -> None:
    run = side_by_side()
    asked = run.ask("asks")

    run.cancel()

    assert run.state.status is RunStatus.CANCELLED
    assert run.state.error == "cancelled by cli:ada: no longer wanted"
    assert run.state.interrupts[asked].closed_why == "run cancelled by cli:ada: no longer wanted"
    assert run.commands() == []


def test_a_run_that_is_over_is_not_cancelled() -> None:
    run = side_by_side()
    run.fail("breaks")

    with pytest.raises(StaleEvent):
        run.cancel()


def test_a_step_that_kills_its_process_five_times_fails_its_run() -> None:
    workflow = Workflow("w")
    workflow.add("kills", nothing)
    run = Driven(workflow)
    for _ in range(MAX_CRASHES - 1):
        run.apply(e.RunRecovered(at=run.tick(), steps=["kills"]))
    assert not run.state.status.over

    run.apply(e.RunRecovered(at=run.tick(), steps=["kills"]))

    assert run.state.status is RunStatus.FAILED
    assert run.state.error is not None
    assert "died under it 5 times" in run.state.error
    assert run.state.nodes["kills"].errors == 0


def test_a_retry_forgives_the_crashes() -> None:
    workflow = Workflow("w")
    workflow.add("kills", nothing)
    run = Driven(workflow)
    for _ in range(MAX_CRASHES):
        run.apply(e.RunRecovered(at=run.tick(), steps=["kills"]))

    run.retry()

    assert run.state.nodes["kills"].crashes == 0
    assert run.commands() == [RunStep("kills", 1)]


def test_a_recovery_speaks_only_of_steps_that_were_running() -> None:
    run = side_by_side()
    run.ask("asks")

    run.apply(e.RunRecovered(at=run.tick(), steps=["runs", "asks", "gone"]))

    assert {name for name, node in run.state.nodes.items() if node.crashes} == {"runs"}


def test_the_end_of_a_retried_run_is_told_again() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    asked = run.ask("asks")
    run.apply(e.InterruptDelivered(at=run.tick(), interrupt_id=asked, handler="slack", receipt={"ts": "1"}))
    run.answer(asked)
    run.fail("asks")
    told = e.RunConcluded(at=run.tick(), handler="slack")
    run.apply(told)
    run.retry()

    with pytest.raises(StaleEvent):
        run.apply(told)  # the first end, told too late
    run.complete("asks")

    assert Conclude(asked, "slack") in run.commands()


def test_a_gate_at_the_end_of_its_visits_fails_and_may_be_retried() -> None:
    workflow = Workflow("w")
    workflow.add("ask", gate("approve", "reject", "modify", modify="ask"))
    run = Driven(workflow)
    while run.state.status is RunStatus.RUNNING:
        run.complete("ask", option="modify")

    run.retry()
    run.complete("ask", option="approve")

    assert run.state.status is RunStatus.COMPLETED


def test_a_step_runs_again_when_all_it_asked_is_answered() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    first, second = run.ask("asks", 0), run.ask("asks", 1)

    run.answer(first)
    after_one = run.state.status
    run.answer(second)

    assert after_one is RunStatus.INTERRUPTED
    assert run.commands() == [RunStep("asks", 1)]


def test_the_first_answer_stays() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    asked = run.ask("asks")
    run.answer(asked, "approve")

    with pytest.raises(StaleEvent):
        run.answer(asked, "reject")
    with pytest.raises(StaleEvent):
        run.expire(asked)

    response = run.state.interrupts[asked].response
    assert response is not None
    assert response.option == "approve"


def test_a_question_may_be_answered_while_other_branches_run() -> None:
    run = side_by_side()
    asked = run.ask("asks")

    run.answer(asked)

    assert RunStep("asks", 1) in run.commands()
    assert RunStep("runs", 1) in run.commands()


def test_a_changed_question_takes_the_place_of_the_pending_one() -> None:
    workflow = Workflow("w")
    workflow.add("asks", nothing)
    run = Driven(workflow)
    before = run.ask("asks", "plan", "Ship v1?")

    after = run.ask("asks", "plan", "Ship v2?", replaces=before, changes=1)

    assert run.state.interrupts[before].closed_why == "superseded: the question changed"
    assert [interrupt.request.id for interrupt in run.state.pending()] == [after]
    run.answer(after)
    assert run.commands()[0] == RunStep("asks", 1)
