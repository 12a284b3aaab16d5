"""How Python's garbage collector is set for a process that serves for long."""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 50)
"""Collections by allocations: runs make many small objects and few circles, so the defaults look too often."""


def settle_in() -> None:
    """Keep what is loaded by now out of every collection, and collect less often.

    It is process-wide, so an application does it, and a library never.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
