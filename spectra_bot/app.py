"""Puts the parts together: the one module here that knows handlers, and through them Slack and Redis.

What it needs is imported when it is called, so that a command which asks nobody does not wait for their libraries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from spectra_bot.collector import settle_in
from spectra_bot.errors import SpectraError
from spectra_bot.extras import how_to_install
from spectra_bot.interrupts import IInterruptHandler, InterruptRequest
from spectra_bot.json_values import MAX_PAYLOAD_BYTES
from spectra_bot.runner import Runner
from spectra_bot.runs import Listener
from spectra_bot.settings import Settings, SettingsError
from spectra_bot.temporal import TemporalOptions
from spectra_bot.workflow import Workflow

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from handlers.console import ConsoleHandler
    from handlers.queue import Queue
    from spectra_bot import WorkflowRunner

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """How a command asks in the terminal."""

    console: Console
    on_left: Callable[[InterruptRequest], None]
    while_asking: Callable[[], AbstractContextManager[object]]


def make_runner(
    db: Path,
    *,
    temporal: TemporalOptions | None = None,
    workflows: Sequence[Workflow] = (),
    handlers: Sequence[IInterruptHandler] = (),
    listeners: Sequence[Listener] = (),
    recover: bool = False,
    read_only: bool = False,
    max_payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> WorkflowRunner:
    """A runner on a database file, or on Temporal where that is given; open it with `async with`."""
    from spectra_bot import WorkflowRunner  # noqa: PLC0415

    return WorkflowRunner(
        workflows=workflows,
        database=str(db),
        temporal=temporal,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Where people are asked, and how their answers come in."""

    handler: IInterruptHandler
    place: str
    """Where it asks, in words."""
    check: Callable[[], Awaitable[None]]
    """Returns where it can ask, as far as one can tell now. A SettingsError says what to do."""
    listen: Callable[[Runner], AbstractAsyncContextManager[str]]
    """Takes answers to this runner while the block lasts; yields where, in words. A SettingsError says what to do."""
    hear: Listener | None = None
    """Shows people what the runs of this process are at."""


@contextlib.asynccontextmanager
async def handlers_elsewhere(settings: Settings) -> AsyncIterator[list[IInterruptHandler]]:
    """The handlers that ask elsewhere than in this terminal: Slack where a bot token is set, a queue where its address.

    Raises:
        SettingsError: the queue can't be set up.
    """
    async with AsyncExitStack() as stack:
        found: list[IInterruptHandler] = []
        if settings.slack_bot_token is not None:
            found.append((await stack.enter_async_context(_slack(settings, settings.slack_bot_token))).handler)
        if settings.redis_url is not None:
            found.append((await stack.enter_async_context(_queue(settings, settings.redis_url))).handler)
        yield found


async def check_slack(settings: Settings, bot_token: SecretStr) -> list[tuple[bool, str]]:
    """What Slack says of the tokens: whether each is fine, and in words."""
    from handlers.slack import check_app_token, open_client  # noqa: PLC0415
    from handlers.slack import check_slack as check  # noqa: PLC0415

    async with open_client(bot_token.get_secret_value(), base_url=settings.slack_api_url) as client:
        found = list(await check(client))
        if settings.slack_app_token is not None:
            found.append(await check_app_token(client, settings.slack_app_token.get_secret_value()))
    return [(finding.is_fine, finding.text) for finding in dict.fromkeys(found)]


async def check_queue(settings: Settings, url: SecretStr) -> tuple[bool, str]:
    """What Redis says: whether it is fine, and in words."""
    try:
        async with _opened_queue(settings, url) as queue:
            from handlers.queue import check_queue as check  # noqa: PLC0415

            return True, await check(queue)
    except SpectraError as error:
        return False, str(error)


async def check_place(url: SecretStr) -> tuple[bool, str]:
    """What the place for large payloads says: whether it is fine, and in words."""
    try:
        from spectra_bot.temporal.place import Place  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return False, how_to_install(error) or str(error)
    try:
        async with await Place.open(url.get_secret_value()) as place:
            return True, await place.check()
    except SpectraError as error:
        return False, str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `serve` and `worker` run: a runner that carries everything on, with Slack, a queue or both in front of it.

    Args:
        listens: take what people do in Slack and in the queue; else only ask there.
        works: carry runs on; else other processes do, on Temporal.
    """

    settings: Settings
    workflows: Sequence[Workflow]
    listens: bool = True
    works: bool = True

    async def run(
        self, stop: asyncio.Event, *, ready: Callable[[str], None], warn: Callable[[str], None] = logger.warning
    ) -> None:
        """Serve until `stop` is set, then let what is at work finish for a few seconds.

        Args:
            ready: told where it listens, or asks, once it does.
            warn: told what somebody should see to.

        Raises:
            SettingsError: Slack or Redis refuses us, or the port is taken; says what to do.
        """
        settings = self.settings
        async with AsyncExitStack() as stack:
            surfaces = [await stack.enter_async_context(surface) for surface in self._surfaces()]
            runner = make_runner(
                settings.db,
                temporal=settings.temporal(),
                workflows=self.workflows,
                handlers=[surface.handler for surface in surfaces],
                listeners=[surface.hear for surface in surfaces if surface.hear is not None],
                recover=self.works,
                max_payload_bytes=settings.max_payload,
            )
            if not self.listens:
                for surface in surfaces:
                    await surface.check()
            await stack.enter_async_context(runner)
            places = [surface.place for surface in surfaces]
            if self.listens:
                places = [await stack.enter_async_context(surface.listen(runner)) for surface in surfaces]
            settle_in()
            idle = await (runner.why_left_out() if self.works else runner.why_idle())
            if idle is not None:
                warn(idle)
            ready(" and ".join(places))
            await stop.wait()

    def _surfaces(self) -> Iterator[AbstractAsyncContextManager[Surface]]:
        settings = self.settings
        if self.listens and settings.serves_slack:
            yield _slack(settings, settings.slack().bot_token)
        elif (bot_token := settings.slack_posting()) is not None:
            yield _slack(settings, bot_token)
        if settings.redis_url is not None:
            yield _queue(settings, settings.redis_url)


@contextlib.asynccontextmanager
async def _slack(settings: Settings, bot_token: SecretStr) -> AsyncIterator[Surface]:
    from handlers.slack import (  # noqa: PLC0415
        SlackApprovalHandler,
        SlackSetupError,
        ThreadProgress,
        build_slack_app,
        open_client,
        refuse_bad_token,
        serve_http,
        serve_socket,
    )

    async with open_client(bot_token.get_secret_value(), base_url=settings.slack_api_url) as client:
        handler = SlackApprovalHandler(client, default_channel=settings.channel)

        @contextlib.asynccontextmanager
        async def listen(runner: Runner) -> AsyncIterator[str]:
            access = settings.slack()
            app = build_slack_app(
                runner,
                handler,
                client=client,
                signing_secret=access.signing_secret.get_secret_value() if access.signing_secret else None,
                allow_other_workspaces=settings.allow_other_workspaces,
            )
            with _told_as_setting(SlackSetupError):
                if access.app_token is not None:
                    async with serve_socket(app, access.app_token.get_secret_value()):
                        yield "Slack's Socket Mode"
                else:
                    async with serve_http(app, host=settings.host, port=settings.port) as server:
                        yield server.url

        async def check() -> None:
            with _told_as_setting(SlackSetupError):
                await refuse_bad_token(client)

        async with ThreadProgress(handler) as progress:
            yield Surface(handler=handler, place="Slack", check=check, listen=listen, hear=progress.hear)


@contextlib.asynccontextmanager
async def _queue(settings: Settings, url: SecretStr) -> AsyncIterator[Surface]:
    async with _opened_queue(settings, url) as queue:
        from handlers.queue import QueueHandler, QueueSetupError, refuse_bad_queue, serve_queue  # noqa: PLC0415

        @contextlib.asynccontextmanager
        async def listen(runner: Runner) -> AsyncIterator[str]:
            with _told_as_setting(QueueSetupError):
                async with serve_queue(runner, queue, trusts_names=settings.redis_trusts_names):
                    yield f"the stream {queue.streams.answers} of Redis at {queue.where}"

        async def check() -> None:
            with _told_as_setting(QueueSetupError):
                await refuse_bad_queue(queue)

        place = f"the stream {queue.streams.requests} of Redis at {queue.where}"
        yield Surface(handler=QueueHandler(queue), place=place, check=check, listen=listen)


@contextlib.asynccontextmanager
async def _opened_queue(settings: Settings, url: SecretStr) -> AsyncIterator[Queue]:
    try:
        from handlers.queue import QueueSetupError, Streams, open_queue  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (said := how_to_install(error)) is None:
            raise
        raise SettingsError(f"SPECTRA_REDIS_URL is set, and {said}") from error
    with _told_as_setting(QueueSetupError):
        streams = Streams(
            requests=settings.redis_requests, answers=settings.redis_answers, set_aside=settings.redis_set_aside
        )
        async with open_queue(url.get_secret_value(), streams=streams) as queue:
            yield queue


@contextlib.contextmanager
def _told_as_setting(error: type[SpectraError]) -> Iterator[None]:
    try:
        yield
    except error as problem:
        raise SettingsError(str(problem)) from problem
