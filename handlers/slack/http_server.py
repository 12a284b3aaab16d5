"""Hearing Slack over signed HTTP, on loopback unless another host is given."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from handlers.slack.errors import SlackSetupError
from handlers.slack.payloads import is_well_formed
from handlers.slack.running import RunningListeners
from handlers.slack.workspace import refuse_bad_token

logger = logging.getLogger(__name__)

EVENTS_PATH = "/slack/events"
HEALTH_PATH = "/healthz"
_LARGEST_BODY = 4 * 1024 * 1024
_STOP_WITHIN_S = 5.0
_MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What Bolt raises for a body that is no JSON, or not of the shape that it expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """Where the bot hears Slack."""

    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The request url as this machine sees it; Slack needs one that it can reach, over https."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self.path}"


@asynccontextmanager
async def serve_http(
    app: AsyncApp, *, host: str = "127.0.0.1", port: int = 3000, path: str = EVENTS_PATH
) -> AsyncIterator[HttpServer]:
    """Serve the app, and `/healthz`, while the block lasts; then wait a few seconds for what is at work.

    Args:
        port: 0 takes a free one.

    Raises:
        SlackSetupError: Slack refuses the bot token, or the port can't be taken.
    """
    await refuse_bad_token(app.client)
    listeners = RunningListeners(app)

    async def hear(request: web.Request) -> web.Response:
        try:
            heard = await to_bolt_request(request)
        except _MALFORMED:  # Bolt reads the body before it looks at the signature
            return _malformed(request)
        answer = await app.async_dispatch(heard)
        if answer.status == web.HTTPInternalServerError.status_code and not is_well_formed(heard.body):
            return _malformed(request)  # Bolt's own steps stumbled over it
        if answer.status == web.HTTPUnauthorized.status_code:
            logger.warning("request refused: bad signature or old timestamp", extra={"remote": request.remote})
        return await to_aiohttp_response(answer)

    site_app = web.Application(client_max_size=_LARGEST_BODY)
    site_app.add_routes([web.post(path, hear), web.get(HEALTH_PATH, _healthy)])
    runner = web.AppRunner(site_app, access_log=None, shutdown_timeout=_STOP_WITHIN_S)
    await runner.setup()
    try:
        taken = await _listen(runner, host, port)
        logger.info("listening to slack over http", extra={"host": host, "port": taken, "path": path})
        yield HttpServer(host=host, port=taken, path=path)
    finally:
        await runner.cleanup()
        await listeners.drain(_STOP_WITHIN_S)


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SlackSetupError(
            f"can't listen on {host} port {port}: {error.strerror or error}; choose another port"
        ) from error
    return int(runner.addresses[0][1])


def _malformed(request: web.Request) -> web.Response:
    logger.warning("request refused: malformed", extra={"remote": request.remote})
    return web.Response(status=400)


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True})
