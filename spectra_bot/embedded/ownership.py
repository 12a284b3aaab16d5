"""Who owns runs: a process with a heartbeat, known by its boot."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from spectra_bot.store import Owner

LEASE_S = 6.0
"""An owner that has not said for this long that it lives has lost its runs."""


def new_owner(lease_s: float = LEASE_S) -> Owner:
    """An owner for this process; each runner has one of its own."""
    return Owner(owner_id=f"o-{secrets.token_hex(8)}", boot_id=_boot_id(), pid=os.getpid(), lease_s=lease_s)


def _boot_id() -> str:
    """A word for this boot of this machine: monotonic times of another one mean nothing here.

    Where the kernel gives none, beats of an earlier boot are told by lying in the future or being old.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
