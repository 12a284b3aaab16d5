"""What an event does to a run. Pure: time, ids and random numbers arrive inside the events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from spectra_bot.interrupts import InterruptResponse
from spectra_bot.machine import events as e
from spectra_bot.machine.endings import cancelled, closed, fail, recovered, retried, without_answer
from spectra_bot.machine.flow import MAX_VISITS, move, settle_flow, visited_anew, worn_out
from spectra_bot.machine.state import Delivery, InterruptState, Loss, NodeState, Phase, RunState, StaleEvent, evolve
from spectra_bot.options import InterruptStatus
from spectra_bot.runs import RunStatus


def start(event: e.RunStarted) -> RunState:
    """The state of a run that has just begun."""
    state = RunState(
        run_id=event.run_id,
        workflow=event.workflow,
        shape=event.shape,
        inputs=event.inputs,
        requested_by=event.requested_by,
        channel=event.channel,
        secrets=event.secrets,
        created_at=event.at,
        updated_at=event.at,
        status=RunStatus.RUNNING,
        nodes={node.name: NodeState() for node in event.shape.nodes},
    )
    return settle_flow(state, event.at)


def apply(state: RunState, event: e.Event) -> RunState:
    """The state after an event.

    Raises:
        StaleEvent: the event speaks of something that is over; the state stays as it is.
    """
    match event:
        case e.StepCompleted():
            return _step_completed(state, event)
        case e.WhenJudged():
            node = _node(state, event.step, event.visit, Phase.JUDGING)
            phase = Phase.RUNNING if event.verdict else Phase.SKIPPED
            return move(state, event.step, _in_phase(node, phase, event.at), event.at)
        case e.StepSkipped():
            node = _node(state, event.step, event.visit, Phase.RUNNING)
            return move(state, event.step, _in_phase(node, Phase.SKIPPED, event.at), event.at)
        case e.StepFailed():
            node = _node(state, event.step, event.visit, Phase.RUNNING, Phase.JUDGING, Phase.DECIDING)
            return fail(state, event.step, _erred(node), event.error, event.at)
        case e.StepErrored():
            node = _node(state, event.step, event.visit, Phase.RUNNING)
            node = evolve(_erred(node), phase=Phase.RETRYING, error=event.error, pausing=(event.at, event.until))
            return move(state, event.step, node, event.at)
        case e.StepRetried():
            node = _node(state, event.step, event.visit, Phase.RETRYING)
            return move(state, event.step, evolve(node, phase=Phase.RUNNING, pausing=None), event.at)
        case e.BackJudged():
            return _back_judged(state, event)
        case e.InterruptRaised():
            return _raised(state, event)
        case e.InterruptDelivered():
            delivery = Delivery(receipt=event.receipt, delivered_at=event.at)
            return _deliver(state, event.interrupt_id, event.handler, delivery, event.at)
        case e.DeliveryLost():
            return _lose(state, event)
        case e.InterruptAnswered():
            return _close(state, _pending(state, event.interrupt_id), event.response, event.at)
        case e.InterruptExpired():
            interrupt = _pending(state, event.interrupt_id)
            return _close(state, interrupt, timed_out(interrupt, event.at), event.at)
        case e.InterruptSettled():
            interrupt = _interrupt(state, event.interrupt_id)
            before = interrupt.deliveries.get(event.handler)
            if before is None or before.settled:
                raise StaleEvent("settled already")
            if event.superseded_by != interrupt.superseded_by:
                return state  # its question changed meanwhile, and people are yet to be told
            return _deliver(state, event.interrupt_id, event.handler, replace(before, settled_at=event.at), event.at)
        case e.OnceStored():
            node = _node(state, event.step, event.visit, *Phase)
            if event.key in node.once:
                raise StaleEvent(f"once {event.key!r} of step {event.step} is stored already")
            node = evolve(node, once={**node.once, event.key: event.value})
            if event.problem is not None:
                node = evolve(node, spoiled={**node.spoiled, event.key: event.problem})
            return evolve(state, nodes={**state.nodes, event.step: node}, updated_at=event.at)
        case e.RunRecovered():
            return recovered(state, event)
        case e.RunCancelled():
            return cancelled(state, event)
        case e.RunRetried():
            return retried(state, event)
        case e.RunConcluded():
            if not state.status.over:
                raise StaleEvent(f"the run is {state.status.value} again")
            return evolve(state, concluded=state.concluded | {event.handler}, updated_at=event.at)
        case e.RunStarted():
            raise StaleEvent("the run has started already")
        case _:
            assert_never(event)


def timed_out(interrupt: InterruptState, at: datetime) -> InterruptResponse:
    """The response that nobody gave, with the default option where the request names one."""
    return InterruptResponse(
        status=InterruptStatus.TIMED_OUT,
        option=interrupt.request.default_option,
        interrupt_id=interrupt.request.id,
        responded_at=at,
    )


def _step_completed(state: RunState, event: e.StepCompleted) -> RunState:
    node = _node(state, event.step, event.visit, Phase.RUNNING)
    shape = state.shape.by_name[event.step]
    outputs = {**state.outputs, event.step: event.output}
    route = next((route for route in shape.routes if route.option == event.option), None) if shape.routes else None
    if route is not None and route.back:
        done = _in_phase(node, Phase.COMPLETED, event.at, took=route.option)
        state = evolve(state, nodes={**state.nodes, event.step: done}, outputs=outputs)
        return _go_back(state, route.to, event.step, event.at)
    phase = Phase.DECIDING if shape.backs else Phase.COMPLETED
    node = _in_phase(node, phase, event.at, took=route.option if route else None)
    return move(state, event.step, node, event.at, outputs)


def _back_judged(state: RunState, event: e.BackJudged) -> RunState:
    node = _node(state, event.step, event.visit, Phase.DECIDING)
    node = _in_phase(node, Phase.COMPLETED, event.at, took=node.took)
    if event.to is None:
        return move(state, event.step, node, event.at)
    if event.to not in state.shape.by_name[event.step].backs:
        raise StaleEvent(f"step {event.step} has no way back to {event.to}")
    return _go_back(evolve(state, nodes={**state.nodes, event.step: node}), event.to, event.step, event.at)


def _go_back(state: RunState, target: str, source: str, at: datetime) -> RunState:
    """Start a new visit of the target and all behind it; what is open there is cancelled."""
    affected = state.shape.behind[target]
    worn = worn_out(state, affected)
    if worn is not None:
        node = evolve(state.nodes[source], phase=Phase.RUNNING)
        return fail(state, source, node, f"{worn} was visited {MAX_VISITS} times; its loop has no end", at)
    interrupts = closed(state, f"{source} went back to {target}", at, steps=affected)
    nodes = visited_anew(state.nodes, affected)
    return settle_flow(evolve(state, nodes=nodes, interrupts=interrupts, updated_at=at), at)


def _raised(state: RunState, event: e.InterruptRaised) -> RunState:
    node = _node(state, event.step, event.visit, Phase.RUNNING, Phase.PARKED)
    request = event.request
    if request.id in state.interrupts:
        raise StaleEvent("that interrupt is stored already")
    interrupts = dict(state.interrupts)
    before = interrupts.get(request.replaces or "")
    if before is not None:
        interrupts[before.request.id] = _superseded(before, request.id, event.at)
    for slot in event.steady:
        met = node.slots.get(slot)
        if met in interrupts:
            interrupts[met] = evolve(interrupts[met], changes=0)
    interrupts[request.id] = InterruptState(
        request=request, step=event.step, visit=event.visit, slot=event.slot, changes=event.changes
    )
    node = evolve(
        node,
        phase=Phase.PARKED,
        error=None,
        waits_for=(*(node.waits_for if node.phase is Phase.PARKED else ()), request.id),
        slots={**node.slots, event.slot: request.id},
    )
    return move(evolve(state, interrupts=interrupts), event.step, node, event.at)


def _superseded(interrupt: InterruptState, by: str, at: datetime) -> InterruptState:
    """An interrupt whose question changed: an answer is kept and counts no more, and its messages say so."""
    if interrupt.response is None:
        interrupt = without_answer(interrupt, "superseded: the question changed", at)
    deliveries = {name: replace(delivery, settled_at=None) for name, delivery in interrupt.deliveries.items()}
    return evolve(interrupt, superseded_by=by, deliveries=deliveries)


def _close(state: RunState, interrupt: InterruptState, response: InterruptResponse, at: datetime) -> RunState:
    """Give a pending interrupt its response; its step runs again when it waits for no other."""
    over = sum(other.response is not None for other in state.interrupts.values())
    interrupts = {**state.interrupts, interrupt.request.id: evolve(interrupt, response=response, over_before=over)}
    state = evolve(state, interrupts=interrupts)
    node = state.nodes[interrupt.step]
    if node.phase is Phase.PARKED and all(interrupts[waiting].response for waiting in node.waits_for):
        node = evolve(node, phase=Phase.RUNNING, waits_for=())
    return move(state, interrupt.step, node, at)


def _deliver(state: RunState, interrupt_id: str, handler: str, delivery: Delivery, at: datetime) -> RunState:
    interrupt = _interrupt(state, interrupt_id)
    interrupt = evolve(interrupt, deliveries={**interrupt.deliveries, handler: delivery})
    return evolve(state, interrupts={**state.interrupts, interrupt_id: interrupt}, updated_at=at)


def _lose(state: RunState, event: e.DeliveryLost) -> RunState:
    """Have an open question delivered anew; of one that is over nothing needs to stand."""
    interrupt = _pending(state, event.interrupt_id)
    delivery = interrupt.deliveries.get(event.handler)
    if delivery is None or delivery.receipt != event.receipt:
        raise StaleEvent(f"handler {event.handler} has delivered it anew already")
    before = interrupt.lost.get(event.handler)
    interrupt = evolve(
        interrupt,
        deliveries={name: other for name, other in interrupt.deliveries.items() if name != event.handler},
        lost={**interrupt.lost, event.handler: Loss(receipt=event.receipt, times=before.times + 1 if before else 1)},
    )
    return evolve(state, interrupts={**state.interrupts, event.interrupt_id: interrupt}, updated_at=event.at)


def _erred(node: NodeState) -> NodeState:
    return evolve(node, errors=node.errors + 1, tried=node.tried + 1)


def _in_phase(node: NodeState, phase: Phase, at: datetime, took: str | None = None) -> NodeState:
    finished = phase is Phase.COMPLETED or phase is Phase.SKIPPED
    return evolve(node, phase=phase, took=took, error=None, finished_at=at if finished else None)


def _node(state: RunState, step: str, visit: int, *phases: Phase) -> NodeState:
    node = state.nodes.get(step)
    if node is None or node.visit != visit or node.phase not in phases:
        raise StaleEvent(f"step {step}, visit {visit}, is not {' or '.join(phases)}")
    return node


def _interrupt(state: RunState, interrupt_id: str) -> InterruptState:
    interrupt = state.interrupts.get(interrupt_id)
    if interrupt is None:
        raise StaleEvent(f"interrupt {interrupt_id} is not of this run")
    return interrupt


def _pending(state: RunState, interrupt_id: str) -> InterruptState:
    interrupt = _interrupt(state, interrupt_id)
    if interrupt.response is not None:
        raise StaleEvent(f"interrupt {interrupt_id} is over")
    return interrupt
