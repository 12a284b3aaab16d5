"""What is shown of a run: values made from its state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue, TypeAdapter
from pydantic_core import from_json

from spectra_bot.clock import from_text
from spectra_bot.errors import UnreadableRunError
from spectra_bot.json_values import Path
from spectra_bot.machine import Conclude, InterruptState, NodeState, Phase, RunState, Settle, todo
from spectra_bot.redact import mask
from spectra_bot.runs import (
    Checkpoint,
    DeliveryRecord,
    InterruptRecord,
    RunDetails,
    RunResult,
    StepPhase,
    StepRecord,
)
from spectra_bot.store import Attempt, AttemptKey

_paths = TypeAdapter(list[Path])
_PHASES: Mapping[Phase, StepPhase] = {
    Phase.WAITING: "waiting",
    Phase.JUDGING: "running",
    Phase.RUNNING: "running",
    Phase.DECIDING: "running",
    Phase.RETRYING: "retrying",
    Phase.PARKED: "interrupted",
    Phase.COMPLETED: "completed",
    Phase.SKIPPED: "skipped",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}


def result_of(state: RunState) -> RunResult:
    """The run as `run` and `resume` return it."""
    return RunResult(
        run_id=state.run_id,
        workflow=state.workflow,
        status=state.status,
        outputs=dict(state.outputs),
        pending=tuple(interrupt.request for interrupt in state.pending()),
        error=state.error,
    )


def details_of(
    state: RunState, attempts: Mapping[AttemptKey, Attempt], put_off: Mapping[str, str] = MappingProxyType({})
) -> RunDetails:
    """The run as `show` tells it.

    Args:
        put_off: why each step waits that nobody can execute just now.
    """
    return RunDetails(
        **dict(result_of(state)),
        inputs=mask(dict(state.inputs), state.secrets),
        requested_by=state.requested_by,
        channel=state.channel,
        created_at=state.created_at,
        updated_at=state.updated_at,
        steps=tuple(_step_record(state, name, node, put_off.get(name)) for name, node in state.nodes.items()),
        interrupts=tuple(interrupt_record(state, interrupt_id, attempts) for interrupt_id in state.interrupts),
    )


def interrupt_record(state: RunState, interrupt_id: str, attempts: Mapping[AttemptKey, Attempt]) -> InterruptRecord:
    """One interrupt of a run with its answer and its deliveries."""
    interrupt = state.interrupts[interrupt_id]
    tried = (key[1] for key in attempts if key[0] == interrupt_id)
    names = dict.fromkeys([*interrupt.deliveries, *interrupt.lost, *tried])
    return InterruptRecord(
        request=interrupt.request,
        response=interrupt.response,
        closed_why=interrupt.closed_why,
        superseded_by=interrupt.superseded_by,
        deliveries=tuple(_delivery_record(state, interrupt, name, attempts) for name in names),
    )


def checkpoint_of(seq: int, kind: str, body: str) -> Checkpoint:
    """One stored event as a line of history.

    Raises:
        UnreadableRunError: it is no JSON any more.
    """
    try:
        fields: dict[str, JsonValue] = from_json(body)
    except ValueError as error:
        raise UnreadableRunError(f"event {seq}, {kind!r},", is_damaged=True) from error
    secrets = fields.pop("secrets", None)
    if "inputs" in fields and isinstance(secrets, list):
        fields["inputs"] = mask(fields["inputs"], _paths.validate_python(secrets))
    at = fields.pop("at")
    step = fields.pop("step", None)
    response = fields.get("response")
    by = (
        fields.get("by")
        or fields.get("requested_by")
        or (response.get("responder") if isinstance(response, dict) else None)
    )
    return Checkpoint(
        seq=seq,
        at=from_text(str(at)),
        event=kind,
        step=str(step) if step is not None else None,
        by=str(by) if by is not None else None,
        detail=fields,
    )


def _step_record(state: RunState, name: str, node: NodeState, put_off: str | None) -> StepRecord:
    return StepRecord(
        step=name,
        after=tuple(dict.fromkeys(edge.source for edge in state.shape.by_name[name].edges)),
        phase=_PHASES[node.phase],
        visit=node.visit,
        attempt=max(node.errors, 1) if node.phase is Phase.FAILED else node.errors + 1,
        started_at=node.started_at,
        finished_at=node.finished_at,
        retry_at=node.pausing[1] if node.pausing else None,
        error=node.error,
        put_off=put_off,
        interrupts=tuple(
            interrupt_id
            for interrupt_id, interrupt in state.interrupts.items()
            if interrupt.step == name and interrupt.visit == node.visit
        ),
    )


def _delivery_record(
    state: RunState, interrupt: InterruptState, handler: str, attempts: Mapping[AttemptKey, Attempt]
) -> DeliveryRecord:
    interrupt_id = interrupt.request.id
    delivery = interrupt.deliveries.get(handler)
    loss = interrupt.lost.get(handler)
    purpose = _left_to_do(state, interrupt, handler)
    tried = attempts.get((interrupt_id, handler, purpose)) if purpose else None
    failed = attempts.get((interrupt_id, handler, "deliver"))
    deliveries = (failed.attempts if failed else 0) + (loss.times if loss else 0) + (1 if delivery else 0)
    return DeliveryRecord(
        handler=handler,
        attempts=deliveries if tried is None else tried.attempts,
        lost=loss.times if loss else 0,
        delivered_at=delivery.delivered_at if delivery else None,
        receipt=dict(delivery.receipt) if delivery and delivery.receipt is not None else None,
        settled_at=delivery.settled_at if delivery else None,
        next_attempt_at=from_text(tried.next_attempt_at) if tried else None,
        last_error=tried.last_error if tried else None,
    )


def _left_to_do(state: RunState, interrupt: InterruptState, handler: str) -> str | None:
    """What a handler still has to do with an interrupt, in the word of its attempts."""
    if interrupt.response is None:
        return "check" if handler in interrupt.deliveries else "deliver"
    left = todo(state)
    if Settle(interrupt.request.id, handler) in left:
        return "settle"
    return "conclude" if Conclude(interrupt.request.id, handler) in left else None
