"""One execution of a step's code, as an engine asks for it: everything that the code may see of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from spectra_bot.context import Question
from spectra_bot.machine import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """What a step, its `when=` or its ways back are given."""

    run_id: str
    workflow: str
    step: str
    visit: int
    errors: int = 0
    """How often it has raised."""
    tried: int = 0
    """How many of these count for its retry policy."""
    requested_by: str | None = None
    channel: str | None = None
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    once: Mapping[str, JsonValue] = field(default_factory=dict)
    spoiled: Mapping[str, str] = field(default_factory=dict)
    backs: tuple[str, ...] = ()
    """The steps that its ways back lead to, in the graph of the run."""
    is_taken_over: bool = False
    """A process that executed it was taken for dead, and may yet store an effect that it had begun."""


def call_of(state: RunState, step: str) -> StepCall:
    """What a step is given in this state of its run."""
    node = state.nodes[step]
    return StepCall(
        run_id=state.run_id,
        workflow=state.workflow,
        step=step,
        visit=node.visit,
        errors=node.errors,
        tried=node.tried,
        requested_by=state.requested_by,
        channel=state.channel,
        inputs=state.inputs,
        outputs=state.outputs,
        questions=tuple(state.questions(step).values()) if node.slots else (),
        once=node.once,
        spoiled=node.spoiled,
        backs=state.shape.by_name[step].backs,
    )
