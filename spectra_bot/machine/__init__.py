"""The heart: pure functions from what happened to what must happen next."""

from spectra_bot.machine.apply import apply, start
from spectra_bot.machine.endings import begun_anew
from spectra_bot.machine.state import InterruptState, Loss, NodeState, Phase, RunState, StaleEvent
from spectra_bot.machine.todo import (
    ArmTimer,
    Command,
    Conclude,
    Deliver,
    JudgeBack,
    JudgeWhen,
    Redeliver,
    RetryLater,
    RunStep,
    Settle,
    todo,
)

__all__ = [
    "ArmTimer",
    "Command",
    "Conclude",
    "Deliver",
    "InterruptState",
    "JudgeBack",
    "JudgeWhen",
    "Loss",
    "NodeState",
    "Phase",
    "Redeliver",
    "RetryLater",
    "RunState",
    "RunStep",
    "Settle",
    "StaleEvent",
    "apply",
    "begun_anew",
    "start",
    "todo",
]
