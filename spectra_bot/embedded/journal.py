"""Between the machine and the store: events as rows, and the rows that show what they did. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from pydantic import TypeAdapter

from spectra_bot.clock import to_text
from spectra_bot.graph import Shape
from spectra_bot.machine import ArmTimer, Deliver, RunState, apply, start, todo
from spectra_bot.machine import events as e
from spectra_bot.runs import RunStatus
from spectra_bot.store import Change, ClosedInterrupt, NewRun, OpenedInterrupt

_shapes = TypeAdapter(Shape)


def new_run(event: e.RunStarted) -> NewRun:
    """The row of a run that begins."""
    return NewRun(
        workflow=event.workflow,
        requested_by=event.requested_by,
        created_at=to_text(event.at),
        shape_digest=event.shape.digest,
        shape=event.shape.text,
    )


def read_shape(body: str) -> Shape:
    """The shape that `new_run` wrote."""
    return _shapes.validate_json(body)


def change(seq: int, events: Sequence[e.Event], before: RunState | None, after: RunState) -> Change:
    """What is stored of a step from one state to the next."""
    opened, closed = [], []
    if before is None or before.interrupts is not after.interrupts:
        known = before.interrupts if before is not None else {}
        for interrupt_id, interrupt in after.interrupts.items():
            earlier = known.get(interrupt_id)
            if earlier is interrupt:
                continue
            if earlier is None:
                opened.append(_opened(after.workflow, interrupt_id, events))
            if interrupt.response is not None and (earlier is None or earlier.response is None):
                closed.append(ClosedInterrupt(interrupt_id=interrupt_id, status=interrupt.response.status))
    names = delivered_to(after)
    return Change(
        run_id=after.run_id,
        expected_seq=seq,
        events=[(e.kind_of(event), e.dump(event).decode()) for event in events],
        status=after.status,
        is_open=not after.status.over or bool(todo(after)),
        error=after.error,
        updated_at=to_text(after.updated_at),
        delivered_to=names,
        is_turn=(
            before is None
            or before.status is not after.status
            or after.status.over
            or (after.status is RunStatus.INTERRUPTED and names != delivered_to(before))
        ),
        opened=opened,
        closed=closed,
    )


def replay(
    state: RunState | None, rows: Iterable[tuple[int, str, str]], shape_of: Callable[[str], Shape]
) -> tuple[RunState, int]:
    """The state after stored events, and the number of the last one; without a state, from the run's start."""
    seq = 0
    for seq, kind, body in rows:  # noqa: B007  the last number is returned
        event = e.load(kind, body, shape_of)
        if isinstance(event, e.RunStarted):
            state = start(event)
        else:
            assert state is not None, "a run's first event is its start"  # noqa: S101
            state = apply(state, event)
    assert state is not None, "a run has at least one event"  # noqa: S101
    return state, seq


def delivered_to(state: RunState) -> str | None:
    """The handlers to which each pending interrupt was delivered, as JSON; None where more is to do than to wait.

    A run that only waits for people needs no owner until someone decides, or its time is over.
    """
    if state.status is not RunStatus.INTERRUPTED:
        return None
    handlers: set[str] | None = None
    for command in todo(state):
        match command:
            case Deliver(interrupt_id):
                deliveries = state.interrupts[interrupt_id].deliveries.keys()
                handlers = set(deliveries) if handlers is None else handlers & deliveries
            case ArmTimer():
                pass  # what is due finds its run
            case _:
                return None
    return None if handlers is None else json.dumps(sorted(handlers))


def _opened(workflow: str, interrupt_id: str, events: Sequence[e.Event]) -> OpenedInterrupt:
    for index, event in enumerate(events):
        if isinstance(event, e.InterruptRaised) and event.request.id == interrupt_id:
            deadline = event.request.deadline
            return OpenedInterrupt(
                interrupt_id=interrupt_id,
                workflow=workflow,
                event=index,
                created_at=to_text(event.at),
                deadline=to_text(deadline) if deadline else None,
            )
    raise AssertionError(f"no event raised {interrupt_id}")
