"""An activity's sign of life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio import activity
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

BEATS = 6
"""So many beats in a lease."""
CONTACT = timedelta(seconds=1)
"""How long the server may take to say that it is there."""


def beat_s(lease_s: float) -> float:
    """The pause between two beats."""
    return lease_s / BEATS


class Contact:
    """When this process last reached the server; the SDK does not tell what became of a beat."""

    def __init__(self, client: Client, lease_s: float) -> None:
        self._client = client
        self._every_s = beat_s(lease_s)
        self._loop = asyncio.get_running_loop()
        self.last = self._loop.time()

    async def keep(self) -> None:
        """Reach the server as often as an activity beats, until cancelled."""
        while True:
            began = self._loop.time()
            with contextlib.suppress(RPCError):
                await self._client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=CONTACT)
                self.last = began
            await asyncio.sleep(self._every_s)


class Pulse:
    """When an activity last gave a sign of life."""

    def __init__(self, lease_s: float, contact: Contact | None) -> None:
        self._lease_s = lease_s
        self._contact = contact
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    def beat(self) -> None:
        """It lives now."""
        activity.heartbeat()
        self._last = self._loop.time()

    @property
    def is_fresh(self) -> bool:
        """Nobody can have taken it for dead: its beats were given, and the server was there to hear them."""
        heard = self._last if self._contact is None else min(self._last, self._contact.last)
        return self._loop.time() - heard < self._lease_s / 2


@contextlib.asynccontextmanager
async def beating(contact: Contact | None = None) -> AsyncIterator[Pulse]:
    """Tell Temporal that this activity lives, as often as its heartbeat timeout needs; it hears of cancels by that."""
    timeout = activity.info().heartbeat_timeout
    assert timeout is not None, "every activity of ours has one"  # noqa: S101

    pulse = Pulse(timeout.total_seconds(), contact)

    async def beat() -> None:
        while True:
            await asyncio.sleep(beat_s(timeout.total_seconds()))  # its start was a sign of life
            pulse.beat()

    task = asyncio.create_task(beat())
    try:
        yield pulse
    finally:
        task.cancel()
