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
    return Owner(
        owner_id=f"o-{secrets.token_hex(8)}",
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        pid=os.getpid(),
        lease_s=lease_s,
    )


def is_surely_dead(other: Owner, us: Owner) -> bool:
    """Its process is gone, by the word of the kernel that we share; where we share none, only its lease tells."""
    if us.pid_namespace is None or (other.boot_id, other.pid_namespace) != (us.boot_id, us.pid_namespace):
        return False
    try:
        os.kill(other.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _pid_namespace() -> str | None:
    """The kernel's name for the space in which our process ids mean something."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _boot_id() -> str:
    """A word for this boot of this machine: monotonic times of another one mean nothing here.

    Where the kernel gives none, beats of an earlier boot are told by lying in the future or being old.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


LATE = 2 / 3
"""An owner whose beat is this part of a lease late may have lost its runs, and can't judge who else lives."""


class Pulse:
    """When an owner last said that it lives. Written by the store's thread: nothing here but assignments."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._last_beat: float | None = None
        self._blind_until = 0.0
        self.lapses = 0
        """How often a beat came so late that runs may have been lost meanwhile."""

    def beaten(self, now: float) -> None:
        """A beat was stored."""
        if self._last_beat is not None and now - self._last_beat > self._lease_s * LATE:
            self.lapses += 1
            self._blind_until = now + self._lease_s
        self._last_beat = now

    def is_fresh(self, now: float, part: float = LATE) -> bool:
        """The last beat is younger than that part of a lease."""
        return self._last_beat is not None and now - self._last_beat <= self._lease_s * part

    def is_blind(self, now: float) -> bool:
        """For one lease after a late beat we can't tell who else lives: they may have stood still too."""
        return now < self._blind_until
