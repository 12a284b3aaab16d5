"""How a run ends before it is completed, and how it is taken up again. Pure."""

from __future__ import annotations

from datetime import datetime

from spectra_bot.errors import RetryRefusedError, SpectraError, UnknownStepError
from spectra_bot.interrupts import InterruptResponse
from spectra_bot.machine import events as e
from spectra_bot.machine.flow import MAX_VISITS, next_phase, settle_flow, visited_anew, worn_out
from spectra_bot.machine.state import InterruptState, NodeState, Phase, RunState, StaleEvent, evolve
from spectra_bot.options import InterruptStatus
from spectra_bot.runs import RunStatus

MAX_CRASHES = 5
"""A step whose process died under it this often fails its run."""


def recovered(state: RunState, event: e.RunRecovered) -> RunState:
    """Count the death of a process for each step that ran in it; one that saw too many fails the run."""
    nodes = dict(state.nodes)
    for name in event.steps:
        node = nodes.get(name)
        if node is not None and node.phase is Phase.RUNNING:
            nodes[name] = evolve(node, crashes=node.crashes + 1)
    state = evolve(state, nodes=nodes, updated_at=event.at)
    for name, node in nodes.items():
        if node.crashes >= MAX_CRASHES and node.phase is Phase.RUNNING:
            error = f"its process died under it {MAX_CRASHES} times; see what it does to its process, then retry"
            return fail(state, name, node, error, event.at)
    return state


def fail(state: RunState, step: str, node: NodeState, error: str, at: datetime) -> RunState:
    """End the run: the running steps and the open questions of its other branches are cancelled."""
    failed = evolve(node, phase=Phase.FAILED, error=error, stopped_in=node.phase, finished_at=at)
    state = _stopped(state, f"step {step} failed: {error}", at)
    return evolve(
        state,
        status=RunStatus.FAILED,
        working=(),
        error=f"{step}: {error}",
        nodes={**state.nodes, step: failed},
        updated_at=at,
    )


def cancelled(state: RunState, event: e.RunCancelled) -> RunState:
    """End the run by someone's will."""
    if state.status.over:
        raise StaleEvent(f"the run is {state.status.value} already")
    why = f"cancelled by {event.by or 'an unnamed caller'}{': ' + event.reason if event.reason else ''}"
    state = _stopped(state, f"run {why}", event.at)
    return evolve(state, status=RunStatus.CANCELLED, working=(), error=why, updated_at=event.at)


def retried(state: RunState, event: e.RunRetried) -> RunState:
    """Set the stopped steps going where they stopped; only approvals and plain answers of theirs are kept.

    Of a step that begins anew, and of all behind it, nothing is kept.
    """
    if state.status is not RunStatus.FAILED:
        raise StaleEvent(f"the run is {state.status.value}, not failed")
    try:
        anew = begun_anew(state, event.from_step)
    except SpectraError as error:
        raise StaleEvent(str(error)) from error
    kept = (InterruptStatus.APPROVED, InterruptStatus.ANSWERED)
    nodes = visited_anew(state.nodes, anew)
    interrupts = dict(state.interrupts)
    for name, node in nodes.items():
        if node.phase not in (Phase.FAILED, Phase.CANCELLED):
            continue
        slots = {}
        for slot, interrupt_id in node.slots.items():
            response = interrupts[interrupt_id].response
            if response is not None and response.status in kept:
                slots[slot] = interrupt_id
                # A question that changed too often may change once more: its code may be another by now.
                interrupts[interrupt_id] = evolve(interrupts[interrupt_id], changes=0)
        is_judged = node.stopped_in in (Phase.JUDGING, Phase.DECIDING)
        nodes[name] = evolve(
            node,
            phase=node.stopped_in if is_judged else Phase.RUNNING,
            tried=0,
            pausing=None,
            slots=slots,
            waits_for=(),
            error=None,
            stopped_in=None,
            finished_at=None,
            crashes=0,
        )
    state = evolve(
        state,
        nodes=nodes,
        outputs={name: output for name, output in state.outputs.items() if name not in anew},
        interrupts=interrupts,
        status=RunStatus.RUNNING,
        error=None,
        concluded=frozenset(),
    )
    return settle_flow(state, event.at)


def begun_anew(state: RunState, from_step: str | None) -> frozenset[str]:
    """The steps of which a retry keeps nothing: the one it begins with, or a sub-workflow's first, and all behind.

    Raises:
        UnknownStepError: the run has no such step.
        RetryRefusedError: the step has not started, would be skipped at once, or was visited too often.
    """
    if from_step is None:
        return frozenset()
    shape = state.shape
    first = shape.begins(from_step)
    if not first:
        raise UnknownStepError(state.run_id, from_step, list(shape.by_name))
    phases = [next_phase(shape.by_name[name], state.nodes) for name in first]
    if None in phases:
        stopped = [name for name, node in state.nodes.items() if node.phase in (Phase.FAILED, Phase.CANCELLED)]
        before = ", ".join(name for name in stopped if not shape.behind[name].isdisjoint(first))
        why = f"it has not started, because {before} did not finish before it; choose that or an earlier step"
        raise RetryRefusedError(state.run_id, from_step, why)
    if all(phase is Phase.SKIPPED for phase in phases):
        why = "nothing led to it, so it would be skipped again; choose an earlier step"
        raise RetryRefusedError(state.run_id, from_step, why)
    anew = frozenset[str]().union(*(shape.behind[name] for name in first))
    worn = worn_out(state, anew)
    if worn is not None:
        why = f"{worn} was visited {MAX_VISITS} times, and no step more often; retry without a step, or start a new run"
        raise RetryRefusedError(state.run_id, from_step, why)
    return anew


def _stopped(state: RunState, why: str, at: datetime) -> RunState:
    nodes = {
        name: evolve(node, phase=Phase.CANCELLED, stopped_in=node.phase, waits_for=(), finished_at=at)
        if node.is_working or node.phase is Phase.PARKED
        else node
        for name, node in state.nodes.items()
    }
    return evolve(state, nodes=nodes, interrupts=closed(state, why, at))


def closed(state: RunState, why: str, at: datetime, steps: frozenset[str] | None = None) -> dict[str, InterruptState]:
    """All interrupts, with the pending ones cancelled: those of some steps, or of every step."""
    return {
        key: without_answer(interrupt, why, at)
        if interrupt.response is None and (steps is None or interrupt.step in steps)
        else interrupt
        for key, interrupt in state.interrupts.items()
    }


def without_answer(interrupt: InterruptState, why: str, at: datetime) -> InterruptState:
    """The interrupt, cancelled."""
    response = InterruptResponse(status=InterruptStatus.CANCELLED, interrupt_id=interrupt.request.id, responded_at=at)
    return evolve(interrupt, response=response, closed_why=why)
