"""What must happen next. A command stays in the list until an event says that it is done.

Commands are named tuples, and not dataclasses like other values, because the engine looks each up several times a
step, and a tuple's hash costs a tenth. Their last field tells commands of two kinds apart, which are equal otherwise.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from spectra_bot.machine.state import Phase, RunState


class RunStep(NamedTuple):
    """Execute a step from its first line."""

    step: str
    visit: int
    kind: Literal["run"] = "run"


class JudgeWhen(NamedTuple):
    """Evaluate a step's `when=`."""

    step: str
    visit: int
    kind: Literal["when"] = "when"


class JudgeBack(NamedTuple):
    """Evaluate the ways back of a completed step."""

    step: str
    visit: int
    kind: Literal["back"] = "back"


class RetryLater(NamedTuple):
    """Have a step that raised run again when its pause is over.

    `at_most` bounds what is left of the pause, for the wall clock may have jumped since it began.
    """

    step: str
    visit: int
    until: datetime
    at_most: timedelta
    kind: Literal["retry"] = "retry"


class Deliver(NamedTuple):
    """Ask the handlers that have not had the interrupt yet."""

    interrupt_id: str
    kind: Literal["deliver"] = "deliver"


class Redeliver(NamedTuple):
    """Have a handler deliver an interrupt anew: what it had delivered is gone."""

    interrupt_id: str
    handler: str
    kind: Literal["redeliver"] = "redeliver"


class ArmTimer(NamedTuple):
    """Report an expiry at the deadline, if nobody decided before."""

    interrupt_id: str
    deadline: datetime
    kind: Literal["timer"] = "timer"


class Settle(NamedTuple):
    """Have a handler show that the interrupt is over."""

    interrupt_id: str
    handler: str
    kind: Literal["settle"] = "settle"


class Conclude(NamedTuple):
    """Have a handler tell how the run ended, where its newest interrupt stands."""

    interrupt_id: str
    handler: str
    kind: Literal["conclude"] = "conclude"


RUNNING, JUDGING, DECIDING = Phase.RUNNING, Phase.JUDGING, Phase.DECIDING

Command = RunStep | JudgeWhen | JudgeBack | RetryLater | Deliver | Redeliver | ArmTimer | Settle | Conclude


def todo(state: RunState) -> list[Command]:
    """Everything that must happen next; the engine starts what is new and stops what has gone."""
    commands: list[Command] = []
    if not state.status.over:
        for name in state.working:
            node = state.nodes[name]
            if node.phase is RUNNING:
                commands.append(RunStep(name, node.visit))
            elif node.phase is JUDGING:
                commands.append(JudgeWhen(name, node.visit))
            elif node.phase is DECIDING:
                commands.append(JudgeBack(name, node.visit))
            elif node.pausing is not None:
                since, until = node.pausing
                commands.append(RetryLater(name, node.visit, until, until - since))
    newest: dict[str, str] = {}
    for interrupt_id, interrupt in state.interrupts.items():
        if interrupt.response is None:
            commands.append(Deliver(interrupt_id))
            commands.extend(
                Redeliver(interrupt_id, handler) for handler in interrupt.lost if handler not in interrupt.deliveries
            )
            if interrupt.request.deadline is not None:
                commands.append(ArmTimer(interrupt_id, interrupt.request.deadline))
            continue
        for handler, delivery in interrupt.deliveries.items():
            if delivery.receipt is not None:
                newest[handler] = interrupt_id
                if not delivery.settled:
                    commands.append(Settle(interrupt_id, handler))
    if state.status.over:
        commands.extend(
            Conclude(interrupt_id, handler)
            for handler, interrupt_id in newest.items()
            if handler not in state.concluded
        )
    return commands
