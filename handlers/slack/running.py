"""The listeners at work: kept from being collected, and waited for at the end."""

from __future__ import annotations

import asyncio
import logging

from slack_bolt.async_app import AsyncApp
from slack_bolt.listener.async_listener_completion_handler import AsyncListenerCompletionHandler
from slack_bolt.listener.async_listener_start_handler import AsyncListenerStartHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

logger = logging.getLogger(__name__)


class RunningListeners(AsyncListenerStartHandler):
    """Holds the tasks of an app's listeners; Bolt starts them and holds none itself."""

    def __init__(self, app: AsyncApp) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        app.listener_runner.listener_start_handler = self
        app.listener_runner.listener_completion_handler = _Ended(self._tasks)

    async def handle(self, request: AsyncBoltRequest, response: BoltResponse | None) -> None:
        """Take the task of a listener that begins."""
        if task := asyncio.current_task():
            self._tasks.add(task)

    async def drain(self, within_s: float) -> None:
        """Wait for the listeners that are at work, then stop those that take longer."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=within_s)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            logger.info("listeners stopped at work", extra={"count": len(late)})
            await asyncio.wait(late, timeout=within_s)


class _Ended(AsyncListenerCompletionHandler):
    def __init__(self, tasks: set[asyncio.Task[object]]) -> None:
        self._tasks = tasks

    async def handle(self, request: AsyncBoltRequest, response: BoltResponse | None) -> None:
        if task := asyncio.current_task():
            self._tasks.discard(task)
