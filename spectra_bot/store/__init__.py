"""Where runs are kept."""

from spectra_bot.store.backup import Backup, back_up, find_damage
from spectra_bot.store.port import Store
from spectra_bot.store.pruning import OVER, Pruned, prune
from spectra_bot.store.records import (
    Attempt,
    AttemptKey,
    Change,
    Claim,
    ClosedInterrupt,
    NewRun,
    OpenedInterrupt,
    Owner,
    PendingInterrupt,
    StoredEvent,
)
from spectra_bot.store.sqlite import SqliteStore

__all__ = [
    "OVER",
    "Attempt",
    "AttemptKey",
    "Backup",
    "Change",
    "Claim",
    "ClosedInterrupt",
    "NewRun",
    "OpenedInterrupt",
    "Owner",
    "PendingInterrupt",
    "Pruned",
    "SqliteStore",
    "Store",
    "StoredEvent",
    "back_up",
    "find_damage",
    "prune",
]
