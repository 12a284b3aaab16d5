"""The machine under any graph and any order of events: what must never be, what must always be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_bot import InterruptStatus, RunStatus, UnreadableRunError, Workflow
from spectra_bot.graph import Edge, Shape
from spectra_bot.machine import (
    Conclude,
    JudgeBack,
    JudgeWhen,
    NodeState,
    Phase,
    RunState,
    RunStep,
    Settle,
    StaleEvent,
    apply,
    start,
    todo,
)
from spectra_bot.machine import events as e
from spectra_bot.machine.flow import MAX_VISITS
from tests.unit.core.runs import STEADY, Driven, attempt, interference, nothing, outcome, workflows

chances = st.randoms(use_true_random=True)
"""Seeds that are drawn: Hypothesis' own choices would lean to the first branch of everything."""
FINISHED = (Phase.COMPLETED, Phase.SKIPPED)
WORKING = (Phase.RUNNING, Phase.JUDGING, Phase.DECIDING, Phase.RETRYING)
WORK = {"RunStep", "JudgeWhen", "JudgeBack", "RetryLater"}


def drive(workflow: Workflow, rng: Random, events: int) -> Driven:
    """A run after so many events, most of them asked for and some of them out of place."""
    run = Driven(workflow)
    for _ in range(events):
        commands = run.commands()
        if commands and rng.random() < 0.8:
            attempt(run, outcome(run, rng.choice(commands), rng))
        else:
            attempt(run, interference(run, rng))
    return run


def is_taken(nodes: dict[str, NodeState], edge: Edge) -> bool:
    source = nodes[edge.source]
    return source.phase is Phase.COMPLETED and source.took == edge.option


def expected_status(state: RunState) -> RunStatus:
    phases = {node.phase for node in state.nodes.values()}
    if Phase.FAILED in phases:
        return RunStatus.FAILED
    if state.status is RunStatus.CANCELLED:
        return RunStatus.CANCELLED
    if phases & set(WORKING):
        return RunStatus.RUNNING
    return RunStatus.INTERRUPTED if Phase.PARKED in phases else RunStatus.COMPLETED


def check_steps(state: RunState) -> None:
    nodes = dict(state.nodes)
    assert state.status is expected_status(state)
    assert sum(node.phase is Phase.FAILED for node in nodes.values()) == (state.status is RunStatus.FAILED)
    for shape in state.shape.nodes:
        node = nodes[shape.name]
        before_it = [nodes[edge.source] for edge in shape.edges]
        is_led_to = not shape.edges or any(is_taken(nodes, edge) for edge in shape.edges)
        assert 1 <= node.visit <= MAX_VISITS
        if node.phase is Phase.WAITING:
            is_due = all(source.phase in FINISHED for source in before_it)
            assert state.status.over or not is_due, f"{shape.name} waits for nothing"
            continue
        assert all(source.phase in FINISHED for source in before_it), f"{shape.name} went too early"
        assert is_led_to or node.phase is Phase.SKIPPED, f"{shape.name} went though nothing led to it"
        if node.phase is Phase.SKIPPED:
            assert shape.name not in state.outputs
        if node.phase is Phase.JUDGING:
            assert shape.when
        if node.phase is Phase.DECIDING:
            assert shape.backs
        assert (node.pausing is not None) == (node.phase is Phase.RETRYING)
        assert node.tried <= node.errors


def check_interrupts(state: RunState) -> None:
    pending = {interrupt.request.id: interrupt for interrupt in state.pending()}
    for name, node in state.nodes.items():
        if node.phase is Phase.PARKED:
            assert pending.keys() & set(node.waits_for), f"{name} is parked and waits for nobody"
        else:
            assert not node.waits_for
    for interrupt in pending.values():
        node = state.nodes[interrupt.step]
        assert node.phase is Phase.PARKED
        assert node.visit == interrupt.visit
        assert interrupt.request.id in node.waits_for
    for interrupt in state.interrupts.values():
        is_cancelled = interrupt.response is not None and interrupt.response.status is InterruptStatus.CANCELLED
        assert is_cancelled == (interrupt.closed_why is not None)


def check_todo(state: RunState) -> None:
    commands = todo(state)
    kinds = {type(command).__name__ for command in commands}
    if state.status.over:
        assert not state.pending()
        assert not any(node.phase in (*WORKING, Phase.PARKED) for node in state.nodes.values())
        assert kinds <= {"Settle", "Conclude"}
    elif state.status is RunStatus.RUNNING:
        assert kinds & WORK
    else:
        assert "Deliver" in kinds
        assert not kinds & {*WORK, "Conclude"}
    assert len(set(commands)) == len(commands)


def check_history(before: RunState, after: RunState) -> None:
    for interrupt_id, interrupt in before.interrupts.items():
        later = after.interrupts[interrupt_id]
        assert later.request == interrupt.request
        assert interrupt.response is None or later.response == interrupt.response
    for name, node in before.nodes.items():
        later_node = after.nodes[name]
        assert later_node.visit >= node.visit
        if later_node.visit == node.visit:
            assert {key: later_node.once[key] for key in node.once} == node.once


@settings(STEADY, max_examples=300)
@given(workflows(), chances)
def test_no_order_of_events_leads_to_a_state_that_the_rules_forbid(workflow: Workflow, rng: Random) -> None:
    run = Driven(workflow)
    check_steps(run.state)
    check_todo(run.state)

    for _ in range(40):
        before = run.state
        commands = run.commands()
        wanted = commands and rng.random() < 0.75
        attempt(run, outcome(run, rng.choice(commands), rng) if wanted else interference(run, rng))

        check_steps(run.state)
        check_interrupts(run.state)
        check_todo(run.state)
        check_history(before, run.state)


@STEADY
@given(workflows(), chances)
def test_an_event_changes_nothing_but_the_state_that_it_gives(workflow: Workflow, rng: Random) -> None:
    run = drive(workflow, rng, 15)

    for _ in range(10):
        commands = run.commands()
        event = outcome(run, rng.choice(commands), rng) if commands else interference(run, rng)
        for offered in (event, interference(run, rng)):
            state = run.state
            before = repr(state)
            attempt(run, offered)

            assert repr(state) == before


@STEADY
@given(workflows(), chances)
def test_a_stored_run_is_rebuilt_equal_from_its_events(workflow: Workflow, rng: Random) -> None:
    run = drive(workflow, rng, 30)
    shapes = {run.shape.digest: run.shape}
    rows = [(e.kind_of(event), e.dump(event)) for event in run.events]

    events = [e.load(kind, body, shapes.__getitem__) for kind, body in rows]
    first = events[0]
    assert isinstance(first, e.RunStarted)
    state = start(first)
    for event in events[1:]:
        state = apply(state, event)

    assert events == run.events
    assert state == run.state
    assert todo(state) == run.commands()


@STEADY
@given(workflows(), chances)
def test_carrying_out_what_is_to_do_always_ends(workflow: Workflow, rng: Random) -> None:
    run = Driven(workflow)
    most = MAX_VISITS * 20 * len(run.state.nodes)

    for _ in range(most):
        commands = run.commands()
        if not commands:
            break
        assert attempt(run, outcome(run, rng.choice(commands), rng)), "what was to do came too late"

    assert run.state.status.over
    assert not run.commands()


@STEADY
@given(workflows())
def test_a_run_needs_nothing_of_the_workflow_but_its_stored_shape(workflow: Workflow) -> None:
    shape = Shape(tuple(workflow.shape().nodes))
    del workflow
    run = Driven(shape)
    rng = Random(7)  # noqa: S311  chance, not secrecy

    while not run.state.status.over:
        attempt(run, outcome(run, rng.choice(run.commands()), rng))

    assert Driven(shape).shape.digest == shape.digest


def test_a_stale_event_is_an_error_like_any_other_to_those_who_handle_it() -> None:
    stale = StaleEvent("it is over")

    stale.__traceback__ = None
    stale.add_note("while replaying")

    assert str(stale) == stale.what == "it is over"


def test_a_run_starts_only_once() -> None:
    workflow = Workflow("w")
    workflow.add("only", nothing)
    run = Driven(workflow)

    with pytest.raises(StaleEvent):
        run.apply(run.events[0])


def test_a_kind_of_event_that_this_version_does_not_know_is_named() -> None:
    with pytest.raises(UnreadableRunError, match="RunTeleported"):
        e.load("RunTeleported", b"{}", dict[str, Shape]().__getitem__)


def test_commands_of_two_kinds_are_never_equal() -> None:
    assert len({RunStep("a", 1), JudgeWhen("a", 1), JudgeBack("a", 1)}) == 3
    assert len({Settle("i", "h"), Conclude("i", "h")}) == 2
