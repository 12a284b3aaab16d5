"""Hearing Slack over a socket that the bot opens itself, so that nothing needs to reach it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.client import quiet_logger
from handlers.slack.errors import SLACK_FAILURES, SlackSetupError, code_of
from handlers.slack.running import RunningListeners
from handlers.slack.workspace import refuse_bad_token

logger = logging.getLogger(__name__)

_CONNECT_WITHIN_S = 10.0
_STOP_WITHIN_S = 5.0
_TURNS = 3
"""So many turns of the event loop bring what left the queue to work."""
_LOOK_EVERY_S = 15.0
_SILENT_FOR_S = 60.0
_REFUSALS = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "not_allowed_token_type",
        "missing_scope",
        "forbidden_team",
    }
)


class SocketListener:
    """The connection to Slack, which mends itself."""

    def __init__(self, client: SocketModeClient) -> None:
        self._client = client

    async def is_connected(self) -> bool:
        """Slack can reach the bot now."""
        return bool(await self._client.is_connected())


class Hearing:
    """What came over the socket and is not answered yet."""

    def __init__(self, handler: AsyncSocketModeHandler) -> None:
        self._handler = handler
        self._at_work: set[asyncio.Task[object]] = set()
        handler.client.socket_mode_request_listeners[:] = [self._hear]

    async def stop(self, within_s: float) -> None:
        """Take nothing new, and let the answers to what has come go out while there is a socket."""
        client = self._handler.client
        if client.message_receiver is not None:
            client.message_receiver.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                # What has come waits in a queue, and then for its task to begin, before it is at work.
                quiet_turns = 0
                while quiet_turns < _TURNS:
                    await asyncio.sleep(0)
                    quiet_turns += 1
                    if self._at_work:
                        quiet_turns = 0
                        await asyncio.wait(set(self._at_work))
                    elif not client.message_queue.empty():
                        quiet_turns = 0

    async def _hear(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"  # noqa: S101
        self._at_work.add(task)
        try:
            await self._handler.handle(client, request)  # type: ignore[arg-type]  # it is the client of this handler
        except ConnectionError:
            # Whoever clicked is shown a warning by Slack. A decision may be stored all the same, and the next click on
            # it is told so.
            logger.warning("socket closed before slack was answered", extra={"type": request.type}, exc_info=True)
        finally:
            self._at_work.discard(task)


@asynccontextmanager
async def serve_socket(app: AsyncApp, app_token: str) -> AsyncIterator[SocketListener]:
    """Hear Slack over a socket while the block lasts; then wait a few seconds for what is at work.

    Where Slack can't be reached it begins all the same, and connects when Slack is back.

    Args:
        app_token: an app-level token, xapp-..., with the scope connections:write.

    Raises:
        SlackSetupError: Slack refuses a token; says what to do.
    """
    await refuse_bad_token(app.client)
    listeners = RunningListeners(app)
    log = quiet_logger("socket")
    web_client = AsyncWebClient(
        token=app_token,
        base_url=app.client.base_url,
        session=app.client.session,
        retry_handlers=app.client.retry_handlers,
        logger=log,
    )
    web_client.proxy = app.client.proxy
    first_address = await _first_address(web_client, app_token)
    handler = AsyncSocketModeHandler(app, app_token, logger=log, web_client=web_client)
    client = handler.client
    client.wss_uri = first_address
    hearing = Hearing(handler)
    connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]  # Bolt has no types here
    watching = asyncio.create_task(_watch(client))
    try:
        await asyncio.wait({connecting}, timeout=_CONNECT_WITHIN_S if first_address else 0)
        if await client.is_connected():
            logger.info("listening to slack over a socket")
        else:
            logger.warning("slack not reached yet; the bot goes on trying")
        yield SocketListener(client)
    finally:
        await hearing.stop(_STOP_WITHIN_S)
        await _stop(handler, connecting, watching)
        await listeners.drain(_STOP_WITHIN_S)


async def _first_address(web_client: AsyncWebClient, app_token: str) -> str | None:
    """The address of a first socket; asking for it tells a wrong token from a Slack that is away."""
    try:
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            said = await web_client.apps_connections_open(app_token=app_token)
    except SLACK_FAILURES as error:
        if refused := app_token_refusal(code_of(error)):
            raise SlackSetupError(refused) from error
        return None
    return str(said["url"])


def app_token_refusal(code: str) -> str | None:
    """What to do about an app token that Slack refuses with this code; None where the token is not to blame."""
    if code not in _REFUSALS:
        return None
    return (
        f"Slack refuses the app token ({code}): make an app-level token with connections:write under "
        "Basic Information, switch Socket Mode on, and set SLACK_APP_TOKEN"
    )


async def _watch(client: SocketModeClient) -> None:
    """Mend what the client does not: an address that has run out, and a connection that has fallen silent."""
    heard = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if await client.is_connected():
            heard = time.monotonic()
            continue
        client.wss_uri = None  # else each further attempt goes to the same address, which works once
        if time.monotonic() - heard < _SILENT_FOR_S:
            continue
        heard = time.monotonic()
        logger.warning("socket silent; connecting anew")
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                await client.connect_to_new_endpoint(force=True)
        except SLACK_FAILURES as error:
            logger.warning("slack not reached", extra={"slack_error": code_of(error) or type(error).__name__})


async def _stop(handler: AsyncSocketModeHandler, *tasks: asyncio.Task[None]) -> None:
    client = handler.client
    tasks_of_client = [client.message_processor, client.current_session_monitor, client.message_receiver]
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await handler.close_async()  # type: ignore[no-untyped-call]  # nor here
    except (TimeoutError, *SLACK_FAILURES):
        logger.warning("socket not closed in time")
    every = [task for task in (*tasks, *tasks_of_client) if task is not None]
    for task in every:
        task.cancel()
    await asyncio.wait(every, timeout=_STOP_WITHIN_S)
