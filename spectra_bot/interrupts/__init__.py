"""Pauses that wait for a person, and who puts them in front of people."""

from spectra_bot.interrupts.fields import MAX_OPTIONS
from spectra_bot.interrupts.handlers import (
    ChecksDeliveries,
    Delivered,
    DeliversAgain,
    DeliversGroups,
    IInterruptHandler,
    SettlesInterrupts,
    handler_name,
)
from spectra_bot.interrupts.request import (
    InterruptException,
    InterruptRequest,
    InterruptRequestBuilder,
    InterruptResponse,
)

__all__ = [
    "MAX_OPTIONS",
    "ChecksDeliveries",
    "Delivered",
    "DeliversAgain",
    "DeliversGroups",
    "IInterruptHandler",
    "InterruptException",
    "InterruptRequest",
    "InterruptRequestBuilder",
    "InterruptResponse",
    "SettlesInterrupts",
    "handler_name",
]
