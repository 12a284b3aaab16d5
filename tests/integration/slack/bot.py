"""The bot as people meet it: a real runner on either engine, real Bolt, and a Slack on loopback."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from handlers.slack import (
    SlackApprovalHandler,
    ThreadProgress,
    build_slack_app,
    open_client,
    serve_http,
    serve_socket,
)
from spectra_bot import InterruptRequest, RunResult, Workflow, WorkflowRunner
from spectra_bot.testing import Ack, FakeSlack, Message, OpenView
from tests.engines import Place, a_runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot at work, and the Slack it works in."""

    slack: FakeSlack
    runner: WorkflowRunner
    handler: SlackApprovalHandler

    async def ask(self, workflow: str, *, channel: str | None = "C1", requested_by: str | None = "slack:T1/U1") -> str:
        """Start a run and return its id when it rests."""
        result = await self.runner.run(workflow, {}, channel=channel, requested_by=requested_by)
        return result.run_id

    async def question(self, channel: str = "C1") -> Message:
        """The newest question that stands in a channel."""
        return (await self.slack.wait_for(lambda: self.questions(channel)))[-1]

    def questions(self, channel: str = "C1") -> list[Message]:
        """The messages with an interrupt's metadata."""
        return [message for message in self.slack.messages(channel) if message.metadata]

    def now(self, message: Message) -> Message:
        """A message as it stands."""
        return self.slack.message(message.channel, message.ts)

    async def until_closed(self, message: Message) -> Message:
        """The message once it has no buttons and is settled."""
        await self.slack.wait_for(
            lambda: not has_buttons(self.now(message)) and "goes on" not in self.now(message).shown
        )
        return self.now(message)

    async def finished(self, run_id: str) -> RunResult:
        """The run at its end."""
        return await self.runner.wait(run_id, over=True)

    async def pending(self, run_id: str) -> InterruptRequest:
        """The one open interrupt of a run."""
        (request,) = await self.runner.list_pending(run_id=run_id)
        return request

    async def modal(self, user: str = "U1") -> OpenView:
        """The modal on a person's screen."""

        def shown() -> OpenView | None:
            return next(reversed(self.slack.views.get(user, ())), None)

        return await self.slack.wait_for(shown) or never()

    async def command(self, text: str, *, user: str = "U1", channel: str = "C1", team: str | None = None) -> Ack:
        """Type the slash command."""
        return await self.slack.command("/spectra", text, user=user, channel=channel, team=team)

    def whispered(self, user: str, channel: str = "C1") -> str:
        """The newest thing that only this person was shown; empty before the first."""
        said = self.slack.ephemerals(channel, user)
        return said[-1].shown if said else ""


def never() -> NoReturn:
    """What `wait_for` has made sure of."""
    raise AssertionError("wait_for returns what is true")


def has_buttons(message: Message) -> bool:
    """Somebody can still press something."""
    return any(block.get("type") == "actions" for block in message.blocks)


def without(ack: Ack, *path: str) -> Ack:
    """The same delivery with a field taken out of its body."""
    body = copy.deepcopy(ack.payload.body)
    place: Any = body
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return dataclasses.replace(ack, payload=dataclasses.replace(ack.payload, body=body))


async def no_pause(_seconds: float) -> None:
    """Retries that do not wait."""


@asynccontextmanager
async def a_bot(
    place: Place,
    workflows: Iterable[Workflow],
    *,
    slack: FakeSlack | None = None,
    mode: Literal["http", "socket"] = "http",
    default_channel: str | None = None,
    allow_other_workspaces: bool = False,
    works: bool = True,
    progress: Callable[[SlackApprovalHandler], ThreadProgress] = ThreadProgress,
) -> AsyncIterator[Bot]:
    """A bot whose runs are there, until the block ends; with a Slack of its own if none is given."""
    async with AsyncExitStack() as stack:
        if slack is None:
            slack = await stack.enter_async_context(FakeSlack(mode=mode))
        client = await stack.enter_async_context(open_client(slack.bot_token, base_url=slack.base_url, sleep=no_pause))
        handler = SlackApprovalHandler(client, default_channel=default_channel)
        shown = await stack.enter_async_context(progress(handler))
        runner = await stack.enter_async_context(
            a_runner(place, workflows, [handler], listeners=[shown.hear], works=works)
        )
        app = build_slack_app(
            runner,
            handler,
            client=client,
            signing_secret=slack.signing_secret,
            allow_other_workspaces=allow_other_workspaces,
        )
        if mode == "http":
            server = await stack.enter_async_context(serve_http(app, port=0))
            slack.app_url = server.url
        else:
            await stack.enter_async_context(serve_socket(app, slack.app_token))
            await slack.connected()
        yield Bot(slack=slack, runner=runner, handler=handler)
