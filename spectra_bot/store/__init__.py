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
    "SqliteStore",
    "Store",
    "StoredEvent",
]
