"""Puts the parts together: the one module here that knows handlers, and through them Slack.

What it needs is imported when it is called, so that a command which asks nobody does not wait for Slack's libraries.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectra_bot.collector import settle_in
from spectra_bot.interrupts import IInterruptHandler, InterruptRequest
from spectra_bot.json_values import MAX_PAYLOAD_BYTES
from spectra_bot.runs import Listener
from spectra_bot.settings import Settings, SettingsError, SlackAccess
from spectra_bot.workflow import Workflow

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from slack_bolt.async_app import AsyncApp

    from handlers.console import ConsoleHandler
    from spectra_bot import WorkflowRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """How a command asks in the terminal."""

    console: Console
    on_left: Callable[[InterruptRequest], None]
    while_asking: Callable[[], AbstractContextManager[object]]


def make_runner(
    db: Path,
    *,
    workflows: Sequence[Workflow] = (),
    handlers: Sequence[IInterruptHandler] = (),
    listeners: Sequence[Listener] = (),
    recover: bool = False,
    read_only: bool = False,
    max_payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> WorkflowRunner:
    """A runner on a database file; open it with `async with`."""
    from spectra_bot import WorkflowRunner  # noqa: PLC0415

    return WorkflowRunner(
        workflows=workflows,
        database=str(db),
        handlers=handlers,
        listeners=listeners,
        recover=recover,
        read_only=read_only,
        max_payload_bytes=max_payload_bytes,
    )


def make_terminal_handler(terminal: Terminal) -> ConsoleHandler:
    """The handler that asks whoever sits at this terminal."""
    from handlers.console import ConsoleHandler  # noqa: PLC0415

    return ConsoleHandler(
        console=terminal.console,
        later=lambda _request: "",  # the command tells it when it ends
        on_left=terminal.on_left,
        while_asking=terminal.while_asking,
    )


def question_view(request: InterruptRequest) -> RenderableType:
    """A question as the terminal shows it."""
    from handlers.console import question_view as view  # noqa: PLC0415

    return view(request, numbered=False)


def cli_identity() -> str:
    """Who gives this command: `cli:login`."""
    from handlers.console import cli_identity as identity  # noqa: PLC0415

    return identity()


@contextlib.asynccontextmanager
async def slack_handlers(settings: Settings) -> AsyncIterator[list[IInterruptHandler]]:
    """The handler that asks in Slack, where a bot token is set; without one, none."""
    if settings.slack_bot_token is None:
        yield []
        return
    from handlers.slack import SlackApprovalHandler, open_client  # noqa: PLC0415

    async with open_client(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url) as client:
        yield [SlackApprovalHandler(client, default_channel=settings.channel)]


async def check_slack(settings: Settings) -> list[tuple[bool, str]]:
    """What Slack says of the tokens: whether each is fine, and in words."""
    from handlers.slack import check_app_token, open_client  # noqa: PLC0415
    from handlers.slack import check_slack as check  # noqa: PLC0415

    access = settings.slack()
    async with open_client(access.bot_token.get_secret_value(), base_url=settings.slack_api_url) as client:
        found = list(await check(client))
        if access.app_token is not None:
            found.append(await check_app_token(client, access.app_token.get_secret_value()))
    return [(finding.is_fine, finding.text) for finding in dict.fromkeys(found)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `serve` runs: a runner that carries everything on, and Slack in front of it."""

    settings: Settings
    workflows: Sequence[Workflow]

    async def run(self, stop: asyncio.Event, *, ready: Callable[[str], None]) -> None:
        """Serve until `stop` is set, then let what is at work finish for a few seconds.

        Args:
            ready: told what it listens on, once it does.

        Raises:
            SettingsError: Slack refuses a token, or the port is taken; says what to do.
        """
        from handlers.slack import SlackApprovalHandler, SlackSetupError, build_slack_app, open_client  # noqa: PLC0415

        settings, access = self.settings, self.settings.slack()
        try:
            async with open_client(access.bot_token.get_secret_value(), base_url=settings.slack_api_url) as client:
                handler = SlackApprovalHandler(client, default_channel=settings.channel)
                runner = make_runner(
                    settings.db,
                    workflows=self.workflows,
                    handlers=[handler],
                    recover=True,
                    max_payload_bytes=settings.max_payload,
                )
                secret = access.signing_secret.get_secret_value() if access.signing_secret else None
                async with runner:
                    app = build_slack_app(
                        runner,
                        handler,
                        client=client,
                        signing_secret=secret,
                        allow_other_workspaces=settings.allow_other_workspaces,
                    )
                    async with self._listening(app, access) as where:
                        settle_in()
                        ready(where)
                        await stop.wait()
        except SlackSetupError as error:
            raise SettingsError(str(error)) from error

    @contextlib.asynccontextmanager
    async def _listening(self, app: AsyncApp, access: SlackAccess) -> AsyncIterator[str]:
        from handlers.slack import serve_http, serve_socket  # noqa: PLC0415

        if access.app_token is not None:
            async with serve_socket(app, access.app_token.get_secret_value()):
                yield "Slack's Socket Mode"
        else:
            async with serve_http(app, host=self.settings.host, port=self.settings.port) as server:
                yield server.url
