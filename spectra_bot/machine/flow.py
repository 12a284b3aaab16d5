"""How a run moves through its graph: which waiting step may go, and what that makes of the run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from pydantic import JsonValue

from spectra_bot.graph import Node, Shape
from spectra_bot.machine.state import NodeState, Phase, RunState, evolve
from spectra_bot.runs import RunStatus

COMPLETED, SKIPPED, PARKED = Phase.COMPLETED, Phase.SKIPPED, Phase.PARKED
RUNNING, JUDGING, DECIDING, RETRYING = Phase.RUNNING, Phase.JUDGING, Phase.DECIDING, Phase.RETRYING

MAX_VISITS = 100
"""A step that is gone back to more often fails its run: a loop without an end."""


def move(
    state: RunState, step: str, node: NodeState, at: datetime, outputs: Mapping[str, JsonValue] | None = None
) -> RunState:
    """Put a step where it is now, and let those behind it go that waited for it."""
    nodes = {**state.nodes, step: node}
    open_names = [step, *state.shape.successors[step]]
    return _settled(state, at, nodes, state.outputs if outputs is None else outputs, open_names)


def settle_flow(state: RunState, at: datetime) -> RunState:
    """Let every step go whose predecessors are done, and set the run's status by what is left."""
    return _settled(state, at, dict(state.nodes), state.outputs, list(state.nodes))


def visited_anew(nodes: Mapping[str, NodeState], steps: Collection[str]) -> dict[str, NodeState]:
    """All nodes, with some in a new visit: they know nothing of what they did and asked before."""
    return {name: NodeState(visit=node.visit + 1) if name in steps else node for name, node in nodes.items()}


def worn_out(state: RunState, steps: Collection[str]) -> str | None:
    """The first of some steps that may not be visited once more."""
    return next((name for name in state.nodes if name in steps and state.nodes[name].visit >= MAX_VISITS), None)


def _settled(
    state: RunState,
    at: datetime,
    nodes: dict[str, NodeState],
    outputs: Mapping[str, JsonValue],
    open_names: list[str],
) -> RunState:
    while open_names:
        name = open_names.pop(0)
        node = nodes[name]
        if node.phase is Phase.WAITING:
            phase = next_phase(state.shape.by_name[name], nodes)
            if phase is None:
                continue
            finished_at = at if phase is Phase.SKIPPED else None
            nodes[name] = node = evolve(node, phase=phase, started_at=at, finished_at=finished_at)
        if node.phase is Phase.SKIPPED:
            if name in outputs:
                outputs = {key: value for key, value in outputs.items() if key != name}
            open_names.extend(follower for follower in state.shape.successors[name] if follower not in open_names)
    working, status = _standing(state.shape, nodes)
    return evolve(state, nodes=nodes, outputs=outputs, working=working, status=status, updated_at=at)


def next_phase(shape: Node, nodes: Mapping[str, NodeState]) -> Phase | None:
    """What a waiting step becomes; None while a predecessor is not done."""
    succeeded = not shape.edges
    for edge in shape.edges:
        source = nodes[edge.source]
        phase = source.phase
        if phase is COMPLETED:
            succeeded = succeeded or source.took == edge.option
        elif phase is not SKIPPED:
            return None
    if not succeeded:
        return Phase.SKIPPED
    return Phase.JUDGING if shape.when else Phase.RUNNING


def _standing(shape: Shape, nodes: Mapping[str, NodeState]) -> tuple[tuple[str, ...], RunStatus]:
    """Which steps have code to run, and what that makes of the run."""
    working = []
    done = True
    parked = False
    for name, node in nodes.items():
        phase = node.phase
        if phase is COMPLETED or phase is SKIPPED:
            continue
        done = False
        if phase is RUNNING or phase is JUDGING or phase is DECIDING or phase is RETRYING:
            working.append(name)
        elif phase is PARKED:
            parked = True
    if working:
        return tuple(working), RunStatus.RUNNING
    assert done or parked, f"nothing moves, and yet it is not done: {shape}"  # noqa: S101  an invariant
    return (), RunStatus.COMPLETED if done else RunStatus.INTERRUPTED
