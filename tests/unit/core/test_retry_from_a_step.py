"""A retry from a step on: what begins anew, what is kept, and what is refused."""

from __future__ import annotations

import pytest

from spectra_bot import RetryRefusedError, RunStatus, SpectraError, UnknownStepError, Workflow
from spectra_bot.graph import Shape
from spectra_bot.machine import JudgeWhen, Phase, RunStep, StaleEvent, begun_anew
from spectra_bot.machine import events as e
from spectra_bot.machine.flow import MAX_VISITS
from tests.unit.core.runs import NOW, Driven, always, gate, nothing


def diamond() -> Driven:
    """A run that failed at `ship`, with a branch beside `plan` that is done and one that was stopped."""
    workflow = Workflow("w")
    workflow.add("start", nothing)
    workflow.add("plan", nothing, after="start")
    workflow.add("ship", nothing, after="plan")
    workflow.add("done", nothing, after="start")
    workflow.add("runs", nothing, after="start")
    workflow.add("join", nothing, after=("ship", "done", "runs"))
    run = Driven(workflow)
    run.complete("start", "s1")
    run.complete("done", "d1")
    run.apply(e.OnceStored(at=run.tick(), step="plan", visit=1, key="k", value="planned"))
    run.apply(e.OnceStored(at=run.tick(), step="runs", visit=1, key="k", value="half"))
    run.answer(run.ask("plan"))
    run.complete("plan", "p1")
    run.fail("ship")
    return run


def with_part() -> Workflow:
    """A workflow whose sub-workflow begins with two steps."""
    part = Workflow("part")
    part.add("left", nothing, after=())
    part.add("right", nothing, after=())
    part.add("both", nothing, after=("left", "right"))
    inner = Workflow("inner")
    inner.add("deep", nothing)
    part.add("inner", inner)
    whole = Workflow("w")
    whole.add("first", nothing)
    whole.add("part", part)
    whole.add("last", nothing)
    return whole


def refusal(run: Driven, step: str) -> SpectraError:
    """Why a retry from a step is refused; the machine drops its event too."""
    with pytest.raises(StaleEvent):
        run.retry(step)
    with pytest.raises(SpectraError) as refused:
        begun_anew(run.state, step)
    return refused.value


def test_the_step_and_all_behind_it_are_in_a_new_visit_that_knows_nothing() -> None:
    run = diamond()

    run.retry("plan")

    visits = {name: node.visit for name, node in run.state.nodes.items()}
    assert visits == {"start": 1, "plan": 2, "ship": 2, "done": 1, "runs": 1, "join": 2}
    assert run.state.nodes["plan"].once == {}
    assert run.state.questions("plan") == {}
    assert run.state.outputs == {"start": "s1", "done": "d1"}
    assert run.commands() == [RunStep("plan", 2), RunStep("runs", 1)]


def test_a_stopped_step_beside_it_goes_on_as_by_a_plain_retry() -> None:
    run = diamond()

    run.retry("plan")

    assert run.state.nodes["runs"].phase is Phase.RUNNING
    assert run.state.nodes["runs"].once == {"k": "half"}


def test_a_join_behind_it_waits_for_the_new_visit() -> None:
    run = diamond()
    run.retry("plan")

    run.complete("runs")
    waits = run.phases()["join"]
    run.complete("plan")
    run.complete("ship")

    assert waits is Phase.WAITING
    assert run.commands() == [RunStep("join", 2)]


def test_questions_of_earlier_visits_stay_in_the_run() -> None:
    run = diamond()
    (before,) = run.state.interrupts

    run.retry("plan")
    after = run.ask("plan")

    assert list(run.state.interrupts) == [before, after]
    assert run.state.interrupts[before].response is not None
    assert [interrupt.visit for interrupt in run.state.interrupts.values()] == [1, 2]


def test_the_failed_step_itself_forgets_what_it_did() -> None:
    workflow = Workflow("w")
    workflow.add("ships", nothing)
    run = Driven(workflow)
    run.apply(e.OnceStored(at=run.tick(), step="ships", visit=1, key="ship", value="v1"))
    run.fail("ships")

    run.retry("ships")

    assert run.state.nodes["ships"].once == {}
    assert run.commands() == [RunStep("ships", 2)]


def test_what_the_earlier_visit_still_reports_is_too_late() -> None:
    run = diamond()
    run.retry("plan")

    with pytest.raises(StaleEvent):
        run.apply(e.OnceStored(at=run.tick(), step="ship", visit=1, key="late", value=1))


def test_the_name_of_a_sub_workflow_means_its_first_steps() -> None:
    run = Driven(with_part())
    for name in ("first", "part/left", "part/right"):
        run.complete(name, name)
    run.fail("part/both")

    run.retry("part")

    assert run.commands() == [RunStep("part/left", 2), RunStep("part/right", 2)]
    assert run.state.outputs == {"first": "first"}


def test_a_sub_workflow_in_a_sub_workflow_has_a_name_too() -> None:
    run = Driven(with_part())
    for name in ("first", "part/left", "part/right", "part/both", "part/inner/deep"):
        run.complete(name, name)
    run.fail("last")

    run.retry("part/inner")

    assert run.commands() == [RunStep("part/inner/deep", 2)]


@pytest.mark.parametrize("name", ["plam", "", "plan/", "/plan", "pla"])
def test_an_unknown_step_is_refused_with_the_names_that_there_are(name: str) -> None:
    error = refusal(diamond(), name)

    assert isinstance(error, UnknownStepError)
    assert str(error) == f"run r-1 has no step {name!r}; its steps: start, plan, ship, done, runs, join"


def test_a_step_that_has_not_started_is_refused_with_what_stopped_before_it() -> None:
    error = refusal(diamond(), "join")

    assert isinstance(error, RetryRefusedError)
    assert str(error) == (
        "run r-1 can't be retried from join: it has not started, because ship, runs did not finish before it; "
        "choose that or an earlier step"
    )


def test_a_sub_workflow_that_has_not_started_is_refused() -> None:
    run = Driven(with_part())
    run.fail("first")

    assert "it has not started, because first did not finish" in str(refusal(run, "part"))


def test_the_condition_of_a_skipped_step_is_judged_again() -> None:
    workflow = Workflow("w")
    workflow.add("a", nothing)
    workflow.add("b", nothing, when=always)
    workflow.add("c", nothing, after=("a", "b"))
    run = Driven(workflow)
    run.complete("a")
    run.judge_when("b", False)
    run.fail("c")

    run.retry("b")

    assert run.commands() == [JudgeWhen("b", 2)]


def test_a_step_to_which_nothing_led_is_refused() -> None:
    workflow = Workflow("w")
    workflow.add("ask", gate("approve", "modify", modify="other"))
    workflow.add("other", nothing)
    workflow.add("end", nothing, after=("ask", "other"))
    run = Driven(workflow)
    run.complete("ask", option=None)
    run.fail("end")

    assert "nothing led to it, so it would be skipped again" in str(refusal(run, "other"))


def test_a_step_behind_which_another_was_visited_too_often_is_refused() -> None:
    workflow = Workflow("w")
    workflow.add("first", nothing)
    workflow.add("spin", nothing)
    workflow.back("spin", to="spin", when=always)
    run = Driven(workflow)
    run.complete("first")
    for _ in range(MAX_VISITS - 1):
        run.complete("spin")
        run.judge_back("spin", "spin")
    run.fail("spin")

    assert "spin was visited 100 times, and no step more often" in str(refusal(run, "first"))
    run.retry()
    assert run.state.status is RunStatus.RUNNING


def test_only_a_failed_run_is_retried_from_a_step() -> None:
    run = diamond()
    run.retry("plan")

    with pytest.raises(StaleEvent):
        run.retry("plan")


def test_a_retry_that_was_stored_without_a_step_is_read() -> None:
    event = e.load("RunRetried", f'{{"at":"{NOW.isoformat()}","by":"cli:ada"}}', dict[str, Shape]().__getitem__)

    assert event == e.RunRetried(at=NOW, by="cli:ada")
