"""Graphs that can't be run: each is refused when its runner is built, and the message names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent

from spectra_bot import DefinitionError, HumanGateStep, RetryPolicy, Step, StepContext, Workflow, WorkflowRunner
from spectra_bot.agent import AgentStep
from spectra_bot.workflow import Names
from tests.unit.core.runs import always, gate, nothing


def workflow_of(**afters: Names | None) -> Workflow:
    workflow = Workflow("deploy")
    for name, after in afters.items():
        workflow.add(name, nothing, after=after)
    return workflow


def unknown_after() -> Workflow:
    return workflow_of(plan=None, apply="plam")


def after_itself() -> Workflow:
    return workflow_of(plan="plan")


def circle() -> Workflow:
    return workflow_of(a="c", b="a", c="b")


def unrouted_option() -> Workflow:
    workflow = workflow_of(plan=None)
    workflow.add("ask", gate("approve", "reject", "modify"))
    return workflow


def route_to_nowhere() -> Workflow:
    workflow = workflow_of(plan=None)
    workflow.add("ask", gate("approve", "reject", "modify", modify="plam"))
    return workflow


def unreachable() -> Workflow:
    workflow = Workflow("deploy")
    workflow.add("ask", gate("approve", "reject", approve="ship"))
    workflow.add("ship", nothing)
    workflow.add("never", nothing, after="ask")
    return workflow


def unreachable_further_on() -> Workflow:
    workflow = unreachable()
    workflow.add("after_never", nothing, after="never")
    return workflow


def back_to_nowhere() -> Workflow:
    workflow = workflow_of(plan=None)
    workflow.back("plan", to="plam", when=always)
    return workflow


def back_from_nowhere() -> Workflow:
    workflow = workflow_of(plan=None)
    workflow.back("plam", to="plan", when=always)
    return workflow


def back_to_what_comes_later() -> Workflow:
    workflow = workflow_of(plan=None, apply=None)
    workflow.back("plan", to="apply", when=always)
    return workflow


def back_to_another_branch() -> Workflow:
    workflow = workflow_of(plan=None, left="plan", right="plan")
    workflow.back("left", to="right", when=always)
    return workflow


def target_after_another_step() -> Workflow:
    workflow = workflow_of(plan=None)
    workflow.add("ask", gate("approve", "reject", reject="undo"))
    workflow.add("undo", nothing, after="plan")
    return workflow


BAD: list[tuple[Callable[[], Workflow], str]] = [
    (unknown_after, "step 'apply' is after 'plam', which is not a step"),
    (after_itself, "step 'plan' is after itself"),
    (circle, "a cycle through after=: "),
    (unrouted_option, "gate 'ask': option 'modify' is neither approval nor rejection, so it needs a route"),
    (route_to_nowhere, "step 'ask' routes 'modify' to 'plam', which is not a step"),
    (unreachable, "step 'never' can never run"),
    (unreachable_further_on, "step 'never' can never run"),
    (back_to_nowhere, "back('plan', to='plam'): 'plam' is not a step"),
    (back_from_nowhere, "back('plam', to='plan'): 'plam' is not a step"),
    (back_to_what_comes_later, "back('plan', to='apply'): 'apply' does not come before 'plan'"),
    (back_to_another_branch, "back('left', to='right'): 'right' does not come before 'left'"),
    (target_after_another_step, "step 'undo' runs only by a route of ask; drop its after="),
    (lambda: Workflow("deploy"), "it has no steps"),
]


@pytest.mark.parametrize(("build", "said"), BAD)
def test_a_bad_graph_is_refused_when_the_runner_is_built(build: Callable[[], Workflow], said: str) -> None:
    workflow = build()

    with pytest.raises(DefinitionError) as refused:
        WorkflowRunner(workflows=[workflow], database=":memory:")

    assert str(refused.value).startswith("workflow deploy: ")
    assert said in str(refused.value)


def test_a_cycle_is_told_in_the_order_of_its_steps() -> None:
    with pytest.raises(DefinitionError) as refused:
        circle().shape()

    said = str(refused.value).partition("after=: ")[2].partition(";")[0]
    assert said in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")


def test_two_steps_of_one_name_are_refused_where_the_second_is_declared() -> None:
    workflow = workflow_of(plan=None)

    with pytest.raises(DefinitionError, match="workflow deploy: there are two steps named 'plan'"):
        workflow.add("plan", nothing)


def test_two_workflows_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two workflows named 'deploy'"):
        WorkflowRunner(workflows=[workflow_of(a=None), workflow_of(a=None)])


def test_a_route_for_an_option_that_is_not_offered_is_refused() -> None:
    with pytest.raises(DefinitionError, match="a route for 'modify', which is not an option"):
        HumanGateStep("Go on?", routes={"modify": "plan"})


def test_a_gate_says_what_is_wrong_with_its_question() -> None:
    with pytest.raises(DefinitionError, match="offered twice"):
        HumanGateStep("Go on?", ("approve", "approve"))


def test_one_approver_in_place_of_a_list_is_refused_rather_than_read_letter_by_letter() -> None:
    with pytest.raises(DefinitionError, match="approvers is a list of ids"):
        HumanGateStep("Go on?", approvers="U1")
    with pytest.raises(DefinitionError, match="workflow deploy: approvers is a list of ids"):
        Workflow("deploy", approvers="U1")
    with pytest.raises(DefinitionError, match="an agent's approvers is a list of ids, not one id: 'U1'"):
        AgentStep(Agent(), "Do it.", approvers="U1")


@pytest.mark.parametrize("name", ["", " ", "two words", " plan", "x" * 81])
def test_a_name_that_nobody_could_type_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="without spaces"):
        Workflow("deploy").add(name, nothing)


class Forgetful(Step):
    """A step without `execute`."""


def blocking(ctx: StepContext) -> None:
    """A step has to be async."""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Forgetful(), "Forgetful has no execute()"),  # type: ignore[abstract]  # that is what is tested
        (HumanGateStep, "add an instance, HumanGateStep(...)"),
        (blocking, "a step is an async function, a Step or a Workflow"),
    ],
)
def test_what_is_no_step_is_refused(step: object, said: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        Workflow("deploy").add("plan", step)  # type: ignore[arg-type]  # that is what is tested

    assert str(refused.value).startswith("workflow deploy, step 'plan': ")
    assert said in str(refused.value)


@pytest.mark.parametrize("word", ["when", "inputs"])
def test_what_is_no_function_of_the_context_is_refused(word: str) -> None:
    options: dict[str, Any] = {word: False}

    with pytest.raises(DefinitionError, match=f"step 'plan': {word} is a function of the context, not False"):
        Workflow("deploy").add("plan", workflow_of(a=None), **options)


def test_a_way_back_without_a_condition_is_refused() -> None:
    workflow = workflow_of(plan=None, check="plan")

    with pytest.raises(DefinitionError, match="step 'check': when is a function of the context, not True"):
        workflow.back("check", to="plan", when=True)  # type: ignore[arg-type]  # that is what is tested


def test_a_target_may_name_the_gate_that_leads_to_it() -> None:
    workflow = Workflow("deploy")
    workflow.add("ask", gate("approve", "reject", reject="undo"))
    workflow.add("undo", nothing, after="ask")

    node = workflow.shape().by_name["undo"]

    assert [(edge.source, edge.option) for edge in node.edges] == [("ask", "reject")]


def test_what_is_declared_behind_a_target_hangs_on_the_target() -> None:
    workflow = Workflow("deploy")
    workflow.add("ask", gate("approve", "reject", reject="undo"))
    workflow.add("undo", nothing)
    workflow.add("tell", nothing)

    node = workflow.shape().by_name["tell"]

    assert [(edge.source, edge.option) for edge in node.edges] == [("undo", None)]


def test_equal_graphs_are_stored_once_and_another_graph_apart() -> None:
    one = workflow_of(plan=None, apply=None).shape()

    assert one.digest == workflow_of(plan=None, apply="plan").shape().digest
    assert one.digest != workflow_of(plan=None, apply=()).shape().digest


def test_target_of_a_route_may_say_that_it_is_after_nothing() -> None:
    workflow = Workflow("deploy")
    workflow.add("ask", gate("approve", "reject", reject="undo"))
    workflow.add("undo", nothing, after=())

    undo = workflow.shape().by_name["undo"]

    assert [(edge.source, edge.option) for edge in undo.edges] == [("ask", "reject")]


def child(*, ends: int = 1) -> Workflow:
    """A workflow that begins and ends with so many steps."""
    workflow = Workflow("child")
    for number in range(ends):
        workflow.add(f"s{number}", nothing, after=())
    return workflow


class Needy(BaseModel):
    region: str


class Plain(BaseModel):
    env: str


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda w: w.add("a/b", nothing), "step 'a/b': a slash stands between a sub-workflow and its steps"),
        (lambda w: w.add("part", w), "step 'part': a workflow can't be a part of itself"),
        (lambda w: w.add("part", Workflow("empty")), "workflow empty: it has no steps"),
        (lambda w: w.add("part", child(), timeout=timedelta(1)), "step 'part': a sub-workflow has no timeout"),
        (
            lambda w: w.add("part", child(), retry=RetryPolicy()),
            "step 'part': a sub-workflow has no timeout and no retry",
        ),
        (lambda w: w.add("plan", nothing, inputs=dict), "step 'plan': inputs= is for a sub-workflow"),
        (lambda w: w.add("ask", HumanGateStep("?"), timeout=timedelta(1)), r"HumanGateStep\(timeout=...\)"),
    ],
)
def test_what_can_not_be_a_part_is_refused(declare: Callable[[Workflow], None], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        declare(Workflow("deploy"))


def test_names_of_a_sub_workflow_are_taken_and_must_be_known() -> None:
    workflow = Workflow("deploy")
    workflow.add("part", child())
    with pytest.raises(DefinitionError, match="two steps named 'part'"):
        workflow.add("part", nothing)

    workflow.add("after", nothing, after="part/s9")
    with pytest.raises(DefinitionError, match="step 'after' is after 'part/s9', which is not a step of it"):
        workflow.shape()


def test_a_way_back_to_a_sub_workflow_with_two_beginnings_must_name_one() -> None:
    workflow = Workflow("deploy")
    workflow.add("part", child(ends=2))
    workflow.add("check", nothing)
    workflow.back("check", to="part", when=always)

    with pytest.raises(DefinitionError, match="'part' begins with part/s0, part/s1; name the one that is meant"):
        workflow.shape()


def test_inputs_that_a_sub_workflow_needs_and_nobody_gives_are_named() -> None:
    part = Workflow("part", inputs=Needy)
    part.add("plan", nothing)

    with pytest.raises(DefinitionError, match=r"step 'roll-out': part needs region; give inputs=lambda"):
        Workflow("deploy", inputs=Plain).add("roll-out", part)


def test_a_step_behind_a_sub_workflow_waits_for_all_that_it_ends_with() -> None:
    workflow = Workflow("deploy")
    workflow.add("first", nothing)
    workflow.add("part", child(ends=2))
    workflow.add("last", nothing)

    edges = {node.name: [edge.source for edge in node.edges] for node in workflow.shape().nodes}

    assert edges == {
        "first": [],
        "part/s0": ["first"],
        "part/s1": ["first"],
        "last": ["part/s0", "part/s1"],
    }
