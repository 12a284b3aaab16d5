"""Where people are asked, one class for each way; a new handler adds one here and no test.

A desk is the whole way: the handler, how its answers come in, and the people who see and press something there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import JsonValue

from handlers.auto_approve import AutoApproveHandler
from handlers.queue import QueueHandler, open_queue, serve_queue
from handlers.slack import SlackApprovalHandler, build_slack_app, open_client, serve_http
from spectra_bot import (
    ConcludesRuns,
    Delivered,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    RunResult,
    SettlesInterrupts,
    WorkflowRunner,
    handler_name,
)
from spectra_bot.testing import FakeSlack, Message
from tests.redis_server import Peer, a_peer, a_redis
from tests.unit.handlers.test_console import Terminal

TIMEOUT_S = 60


class Desk(Protocol):
    """One way to ask people, and the people there. It outlives a process of the bot."""

    identity: str
    """Who answers at it."""

    @property
    def handler(self) -> IInterruptHandler:
        """Its handler, as the bot's newest process made it."""
        ...

    def at_work(self, runner: WorkflowRunner) -> contextlib.AbstractAsyncContextManager[None]:
        """Bring its answers to this runner."""
        ...

    async def renew(self) -> None:
        """Make the handler anew, as another process does."""
        ...

    def will_approve(self) -> None:
        """Said before a question is asked, for who answers without being shown anything."""
        ...

    async def shown(self, request: InterruptRequest) -> list[str]:
        """What people are shown of a question, once they are, as raw as it travels: a text for each time."""
        ...

    async def approve(self, request: InterruptRequest) -> None:
        """Give the answer `approve`, as far as the desk lets one."""
        ...

    async def leave(self, request: InterruptRequest) -> None:
        """Leave the question open."""
        ...

    async def until_closed(self, request: InterruptRequest) -> None:
        """Return when nobody is asked any more."""
        ...


class AutoApproveDesk:
    """Nobody sits here: what approves by itself answers before anybody sees the question."""

    identity = "handler:AutoApproveHandler"

    def __init__(self) -> None:
        self._approves = False
        self.handler: IInterruptHandler = AutoApproveHandler(when=lambda _request: self._approves)

    @asynccontextmanager
    async def at_work(self, _runner: WorkflowRunner) -> AsyncIterator[None]:
        yield

    async def renew(self) -> None:
        self.handler = AutoApproveHandler(when=lambda _request: self._approves)

    def will_approve(self) -> None:
        self._approves = True

    async def shown(self, _request: InterruptRequest) -> list[str]:
        return [""]

    async def approve(self, _request: InterruptRequest) -> None:
        return None

    async def leave(self, _request: InterruptRequest) -> None:
        return None

    async def until_closed(self, _request: InterruptRequest) -> None:
        return None


class ConsoleDesk:
    """Somebody sits at a terminal."""

    identity = "cli:ada"

    def __init__(self) -> None:
        self._terminal = Terminal()

    @property
    def handler(self) -> IInterruptHandler:
        return self._terminal.handler

    @asynccontextmanager
    async def at_work(self, _runner: WorkflowRunner) -> AsyncIterator[None]:
        terminal = self._terminal
        try:
            yield
        finally:
            terminal.ends()  # its thread goes on to wait for a line

    async def renew(self) -> None:
        self._terminal = Terminal()

    def will_approve(self) -> None:
        return None

    async def shown(self, request: InterruptRequest) -> list[str]:
        await self._terminal.shows("Your decision" if not request.approvers else request.id)
        return [self._terminal.shown]

    async def approve(self, request: InterruptRequest) -> None:
        if request.approvers and self.identity not in request.approvers:
            await self._terminal.shows("may not decide this")
            return
        await self._terminal.shows("Your decision")
        self._terminal.types("approve", "")

    async def leave(self, _request: InterruptRequest) -> None:
        await self._terminal.shows("Your decision")
        self._terminal.types("")
        await self._terminal.shows("Left open.")

    async def until_closed(self, _request: InterruptRequest) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while self._terminal.asking:
                await asyncio.sleep(0.01)


class SlackDesk:
    """Somebody reads a channel in Slack."""

    identity = "slack:T1/U1"

    def __init__(self, slack: FakeSlack, stack: AsyncExitStack) -> None:
        self._slack = slack
        self._stack = stack
        self.handler: IInterruptHandler

    async def renew(self) -> None:
        slack = self._slack
        self._client = await self._stack.enter_async_context(open_client(slack.bot_token, base_url=slack.base_url))
        self._own = SlackApprovalHandler(self._client, default_channel="C1")
        self.handler = self._own

    @asynccontextmanager
    async def at_work(self, runner: WorkflowRunner) -> AsyncIterator[None]:
        app = build_slack_app(runner, self._own, client=self._client, signing_secret=self._slack.signing_secret)
        async with serve_http(app, port=0) as server:
            self._slack.app_url = server.url
            yield

    def will_approve(self) -> None:
        return None

    async def shown(self, request: InterruptRequest) -> list[str]:
        found = await self._slack.wait_for(lambda: self._messages(request), timeout=TIMEOUT_S)
        return [message.shown for message in found]

    async def approve(self, request: InterruptRequest) -> None:
        await self.shown(request)
        await self._slack.click(self._messages(request)[-1], "Approve", user="U1")

    async def leave(self, request: InterruptRequest) -> None:
        await self.shown(request)

    async def until_closed(self, request: InterruptRequest) -> None:
        await self._slack.wait_for(lambda: not any(map(_has_buttons, self._messages(request))), timeout=TIMEOUT_S)

    def _messages(self, request: InterruptRequest) -> list[Message]:
        return [
            message
            for message in self._slack.messages("C1")
            if message.metadata and message.metadata.get("event_payload") == {"interrupt_id": request.id}
        ]


class QueueDesk:
    """A program reads the queue."""

    identity = "queue:spectra:answers"

    def __init__(self, url: str, stack: AsyncExitStack, peer: Peer) -> None:
        self._url = url
        self._stack = stack
        self._peer = peer
        self.handler: IInterruptHandler

    async def renew(self) -> None:
        self._queue = await self._stack.enter_async_context(open_queue(self._url))
        self.handler = QueueHandler(self._queue)

    @asynccontextmanager
    async def at_work(self, runner: WorkflowRunner) -> AsyncIterator[None]:
        async with serve_queue(runner, self._queue):
            yield

    def will_approve(self) -> None:
        return None

    async def shown(self, request: InterruptRequest) -> list[str]:
        await self._peer.request(request.id)
        found: Any = await self._peer.client.xrange("spectra:requests")
        bodies = [fields[b"body"].decode() for _, fields in found]
        return [body for body in bodies if json.loads(body)["interrupt_id"] == request.id]

    async def approve(self, request: InterruptRequest) -> None:
        await self.shown(request)
        await self._peer.answer(request.id, "approve")
        await self._peer.until_taken()

    async def leave(self, request: InterruptRequest) -> None:
        await self.shown(request)

    async def until_closed(self, request: InterruptRequest) -> None:
        await self._peer.end(request.id)


class Watched:
    """A handler as it is, with a note of what the runner did to it."""

    def __init__(self, handler: IInterruptHandler, *, failures: int = 0) -> None:
        self.name = handler_name(handler)
        self.runner: WorkflowRunner
        self.found: list[str] = []
        """How each interrupt stood in the store when the handler was asked."""
        self.returned: list[InterruptResponse | Delivered | None] = []
        self.was_cancelled = False
        self.was_settled = False
        self._handler = handler
        self._failures = failures

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered | None:
        self.found.append((await self.runner.get_interrupt(request.id)).status)
        if len(self.found) <= self._failures:
            raise ConnectionError("no way to people just now")
        try:
            answer = await self._handler.handle(request)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        self.returned.append(answer)
        return answer

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        if isinstance(self._handler, SettlesInterrupts):
            await self._handler.settle(request, response, receipt)
            self.was_settled = True

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        if isinstance(self._handler, ConcludesRuns):
            await self._handler.conclude(result, request, receipt)


@asynccontextmanager
async def a_desk(kind: str, folder: Path) -> AsyncIterator[Desk]:
    """A desk of that kind, until the block ends."""
    async with AsyncExitStack() as stack:
        desk: Desk
        match kind:
            case "auto_approve":
                desk = AutoApproveDesk()
            case "console":
                desk = ConsoleDesk()
            case "slack":
                desk = SlackDesk(await stack.enter_async_context(FakeSlack()), stack)
            case "queue":
                redis = stack.enter_context(a_redis(folder / "redis"))
                desk = QueueDesk(redis.url, stack, await stack.enter_async_context(a_peer(redis)))
            case _:
                raise AssertionError(kind)
        await desk.renew()
        yield desk


def _has_buttons(message: Message) -> bool:
    return any(block.get("type") == "actions" for block in message.blocks)
