"""What must happen next. A command stays in the list until an event says that it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spectra_bot.machine.state import Phase, RunState


@dataclass(frozen=True, slots=True)
class RunStep:
    """Execute a step from its first line."""

    step: str
    visit: int


@dataclass(frozen=True, slots=True)
class JudgeWhen:
    """Evaluate a step's `when=`."""

    step: str
    visit: int


@dataclass(frozen=True, slots=True)
class JudgeBack:
    """Evaluate the ways back of a completed step."""

    step: str
    visit: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Ask the handlers that have not had the interrupt yet."""

    interrupt_id: str


@dataclass(frozen=True, slots=True)
class ArmTimer:
    """Report an expiry at the deadline, if nobody decided before."""

    interrupt_id: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Settle:
    """Have a handler show that the interrupt is over."""

    interrupt_id: str
    handler: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """Have a handler tell how the run ended, where its newest interrupt stands."""

    interrupt_id: str
    handler: str


RUNNING, JUDGING, DECIDING = Phase.RUNNING, Phase.JUDGING, Phase.DECIDING

Command = RunStep | JudgeWhen | JudgeBack | Deliver | ArmTimer | Settle | Conclude


def todo(state: RunState) -> list[Command]:
    """Everything that must happen next; the engine starts what is new and stops what has gone."""
    commands: list[Command] = []
    if not state.status.over:
        for name, node in state.nodes.items():
            phase = node.phase
            if phase is RUNNING:
                commands.append(RunStep(name, node.visit))
            elif phase is JUDGING:
                commands.append(JudgeWhen(name, node.visit))
            elif phase is DECIDING:
                commands.append(JudgeBack(name, node.visit))
    newest: dict[str, str] = {}
    for interrupt_id, interrupt in state.interrupts.items():
        if interrupt.response is None:
            commands.append(Deliver(interrupt_id))
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
