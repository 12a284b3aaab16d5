"""Where runs are kept."""

from spectra_bot.store.port import (
    Attempt,
    AttemptKey,
    Change,
    Claim,
    ClosedInterrupt,
    NewRun,
    OpenedInterrupt,
    Owner,
    PendingInterrupt,
    Store,
    StoredEvent,
)
from spectra_bot.store.sqlite import SqliteStore

__all__ = [
    "Attempt",
    "AttemptKey",
    "Change",
    "Claim",
    "ClosedInterrupt",
    "NewRun",
    "OpenedInterrupt",
    "Owner",
    "PendingInterrupt",
    "SqliteStore",
    "Store",
    "StoredEvent",
]
