"""Where a run goes in its graph, rule by rule."""

from __future__ import annotations

import pytest

from spectra_bot import InterruptStatus, RunStatus, Workflow
from spectra_bot.machine import JudgeBack, JudgeWhen, Phase, RunStep, StaleEvent
from spectra_bot.machine.flow import MAX_VISITS
from tests.unit.core.runs import Driven, always, gate, nothing


def chain(*names: str) -> Workflow:
    workflow = Workflow("w")
    for name in names:
        workflow.add(name, nothing)
    return workflow


def diamond() -> Workflow:
    """a, then b and c side by side, then d behind both."""
    workflow = chain("a")
    workflow.add("b", nothing, after="a")
    workflow.add("c", nothing, after="a")
    workflow.add("d", nothing, after=("b", "c"))
    return workflow


def test_steps_without_after_run_one_behind_the_other() -> None:
    run = Driven(chain("a", "b"))

    run.complete("a", "first")

    assert run.commands() == [RunStep("b", 1)]
    assert run.state.outputs == {"a": "first"}


def test_steps_behind_the_same_step_run_side_by_side() -> None:
    run = Driven(diamond())

    run.complete("a")

    assert run.commands() == [RunStep("b", 1), RunStep("c", 1)]


def test_steps_after_nothing_all_start_at_once() -> None:
    workflow = chain("a")
    workflow.add("b", nothing, after=())

    run = Driven(workflow)

    assert run.commands() == [RunStep("a", 1), RunStep("b", 1)]


def test_a_join_waits_for_all_its_predecessors() -> None:
    run = Driven(diamond())
    run.complete("a")

    run.complete("b")

    assert run.phases()["d"] is Phase.WAITING
    assert run.commands() == [RunStep("c", 1)]


@pytest.mark.parametrize("first", ["b", "c"])
def test_a_join_runs_when_one_predecessor_succeeded_and_the_other_was_skipped(first: str) -> None:
    second = "c" if first == "b" else "b"
    run = Driven(diamond())
    run.complete("a")

    run.skip(first)
    run.complete(second)

    assert run.commands() == [RunStep("d", 1)]


def test_a_join_is_skipped_when_all_its_predecessors_were() -> None:
    run = Driven(diamond())
    run.complete("a")

    run.skip("b")
    run.skip("c")

    assert run.phases()["d"] is Phase.SKIPPED
    assert run.state.status is RunStatus.COMPLETED


def test_skipping_goes_on_to_all_that_follows_only_the_skipped() -> None:
    run = Driven(chain("a", "b", "c", "d"))
    run.complete("a")

    run.skip("b")

    assert [run.phases()[name] for name in "bcd"] == [Phase.SKIPPED] * 3
    assert run.state.status is RunStatus.COMPLETED


def test_a_condition_is_judged_only_when_all_predecessors_are_done() -> None:
    workflow = diamond()
    workflow.add("e", nothing, after=("b", "c"), when=always)
    run = Driven(workflow)
    run.complete("a")
    run.complete("b")
    assert JudgeWhen("e", 1) not in run.commands()

    run.skip("c")

    assert JudgeWhen("e", 1) in run.commands()


def test_a_true_condition_runs_its_step_and_a_false_one_skips_it() -> None:
    workflow = chain("a")
    workflow.add("yes", nothing, after="a", when=always)
    workflow.add("no", nothing, after="a", when=always)
    workflow.add("after_no", nothing, after="no")
    run = Driven(workflow)
    run.complete("a")

    run.judge_when("yes", True)
    run.judge_when("no", False)

    assert run.commands() == [RunStep("yes", 1)]
    assert run.phases()["after_no"] is Phase.SKIPPED


def test_a_condition_is_not_judged_where_all_predecessors_were_skipped() -> None:
    workflow = chain("a")
    workflow.add("b", nothing, when=always)
    run = Driven(workflow)

    run.skip("a")

    assert run.phases()["b"] is Phase.SKIPPED


def routed() -> Workflow:
    """A gate whose `modify` leads ahead to `fix`; approval goes on to `ship`; `tell` joins both."""
    workflow = Workflow("w")
    workflow.add("ask", gate("approve", "reject", "modify", modify="fix"))
    workflow.add("ship", nothing, after="ask")
    workflow.add("fix", nothing)
    workflow.add("tell", nothing, after=("ship", "fix"))
    return workflow


def test_a_route_that_is_taken_runs_its_target_and_skips_what_approval_leads_to() -> None:
    run = Driven(routed())

    run.complete("ask", option="modify")

    assert run.commands() == [RunStep("fix", 1)]
    assert run.phases()["ship"] is Phase.SKIPPED


def test_a_route_that_is_not_taken_skips_its_target() -> None:
    run = Driven(routed())

    run.complete("ask", option="approve")

    assert run.commands() == [RunStep("ship", 1)]
    assert run.phases()["fix"] is Phase.SKIPPED


@pytest.mark.parametrize("option", ["approve", "modify"])
def test_the_ways_of_a_gate_come_together_again_in_a_join(option: str) -> None:
    run = Driven(routed())
    run.complete("ask", option=option)

    run.complete("fix" if option == "modify" else "ship")

    assert run.commands() == [RunStep("tell", 1)]


def test_a_target_of_two_options_runs_by_either() -> None:
    for option in ("reject", "timeout"):
        workflow = Workflow("w")
        workflow.add("ask", gate("approve", "reject", reject="undo", timeout="undo"))
        workflow.add("undo", nothing)
        run = Driven(workflow)

        run.complete("ask", option=option)

        assert run.commands() == [RunStep("undo", 1)]


def test_the_timeout_route_is_a_way_of_its_own() -> None:
    workflow = Workflow("w")
    workflow.add("ask", gate("approve", "reject", timeout="escalate"))
    workflow.add("ship", nothing, after="ask")
    workflow.add("escalate", nothing)
    run = Driven(workflow)

    run.complete("ask", option="timeout")

    assert run.commands() == [RunStep("escalate", 1)]
    assert run.phases()["ship"] is Phase.SKIPPED


def test_a_way_back_is_judged_before_anything_behind_goes_on() -> None:
    workflow = chain("a", "b", "c")
    workflow.back("b", to="a", when=always)
    run = Driven(workflow)
    run.complete("a")

    run.complete("b")

    assert run.commands() == [JudgeBack("b", 1)]


def test_not_going_back_goes_on() -> None:
    workflow = chain("a", "b", "c")
    workflow.back("b", to="a", when=always)
    run = Driven(workflow)
    run.complete("a")
    run.complete("b")

    run.judge_back("b", None)

    assert run.commands() == [RunStep("c", 1)]


def test_going_back_starts_a_new_visit_of_the_target_and_all_behind_it() -> None:
    workflow = chain("start", "a", "b", "c")
    workflow.back("b", to="a", when=always)
    run = Driven(workflow)
    run.complete("start")
    run.complete("a", "first")
    run.complete("b")

    run.judge_back("b", "a")

    assert {name: node.visit for name, node in run.state.nodes.items()} == {"start": 1, "a": 2, "b": 2, "c": 2}
    assert run.commands() == [RunStep("a", 2)]
    assert run.state.outputs["a"] == "first", "the new visit may read what the last one left"


def test_a_route_back_cancels_what_is_open_behind_its_target_and_nothing_else() -> None:
    workflow = Workflow("w")
    workflow.add("plan", nothing)
    workflow.add("ask", gate("approve", "reject", "modify", modify="plan"), after="plan")
    workflow.add("side", nothing, after="plan")
    workflow.add("busy", nothing, after="plan")
    workflow.add("apart", nothing, after=())
    run = Driven(workflow)
    apart = run.ask("apart")
    run.complete("plan")
    side = run.ask("side")

    run.complete("ask", option="modify")

    closed = run.state.interrupts[side]
    assert closed.response is not None
    assert closed.response.status is InterruptStatus.CANCELLED
    assert closed.closed_why == "ask went back to plan"
    assert run.state.interrupts[apart].response is None
    assert RunStep("plan", 2) in run.commands()
    assert run.phases()["busy"] is Phase.WAITING


def test_what_a_cancelled_visit_still_reports_is_too_late() -> None:
    workflow = Workflow("w")
    workflow.add("plan", nothing)
    workflow.add("ask", gate("approve", "reject", "modify", modify="plan"))
    workflow.add("side", nothing, after="plan")
    run = Driven(workflow)
    run.complete("plan")
    late = run.events[-1]
    run.complete("ask", option="modify")

    with pytest.raises(StaleEvent):
        run.apply(late)


def test_a_new_visit_asks_its_questions_anew() -> None:
    workflow = Workflow("w")
    workflow.add("plan", nothing)
    workflow.add("ask", gate("approve", "reject", "modify", modify="plan"))
    run = Driven(workflow)
    run.complete("plan")
    run.answer(run.ask("ask"), "modify")
    run.complete("ask", option="modify")

    run.complete("plan")

    assert run.state.questions("ask") == {}
    assert run.commands()[0] == RunStep("ask", 2)


def test_a_step_skipped_in_a_new_visit_takes_its_old_output_back() -> None:
    workflow = chain("a", "b", "c")
    workflow.back("c", to="b", when=always)
    run = Driven(workflow)
    run.complete("a")
    run.complete("b", "stale")
    run.complete("c", "stale")
    run.judge_back("c", "b")

    run.skip("b")

    assert run.state.outputs == {"a": None}


def test_a_way_back_that_the_graph_does_not_have_is_not_taken() -> None:
    workflow = chain("a", "b", "c")
    workflow.back("c", to="b", when=always)
    run = Driven(workflow)
    for name in "abc":
        run.complete(name)

    with pytest.raises(StaleEvent):
        run.judge_back("c", "a")


def test_the_hundredth_visit_is_the_last() -> None:
    workflow = chain("a", "b")
    workflow.back("b", to="a", when=always)
    run = Driven(workflow)
    for _ in range(MAX_VISITS - 1):
        run.complete("a")
        run.complete("b")
        run.judge_back("b", "a")
    assert run.visit("a") == MAX_VISITS
    run.complete("a")
    run.complete("b")

    run.judge_back("b", "a")

    assert run.state.status is RunStatus.FAILED
    assert run.state.error == "b: a was visited 100 times; its loop has no end"
    assert run.visit("a") == MAX_VISITS


def test_a_loop_inside_a_loop_ends_at_a_hundred_visits_too() -> None:
    workflow = chain("outer", "inner", "end")
    workflow.back("inner", to="inner", when=always)
    workflow.back("end", to="outer", when=always)
    run = Driven(workflow)
    run.complete("outer")
    for _ in range(MAX_VISITS - 1):
        run.complete("inner")
        run.judge_back("inner", "inner")
    run.complete("inner")
    run.judge_back("inner", None)
    run.complete("end")

    run.judge_back("end", "outer")

    assert run.state.status is RunStatus.FAILED
    assert run.state.error == "end: inner was visited 100 times; its loop has no end"
    assert max(node.visit for node in run.state.nodes.values()) == MAX_VISITS
