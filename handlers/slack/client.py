"""Slack's Web API over one shared session, patient with what passes by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

SLACK_API = "https://slack.com/api/"
CALL_TIMEOUT_S = 15.0
LONGEST_PAUSE_S = 10.0
"""A longer Retry-After is left to the outbox, which remembers it over a restart."""

_TRANSIENT = frozenset({500, 502, 503, 504})
_BROKEN = (aiohttp.ServerConnectionError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
_NOT_SENT = (aiohttp.ClientConnectorError,)
_POST = "/chat.postMessage"


class PatientRetries(AsyncRetryHandler):
    """Repeats a call that met a rate limit, a server error or a broken connection, a few times.

    Posting has no idempotency key: where Slack may have stored the message and said otherwise, it is not repeated here.
    The outbox does that, which keeps what went wrong, and looks first whether the message stands where it may.
    """

    def __init__(self, *, most: int = 2, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(max_retry_count=most)
        self._sleep = sleep

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        is_post = request.url.endswith(_POST)
        if error is not None:
            return isinstance(error, _NOT_SENT if is_post else _BROKEN)
        if response is None:
            return False
        if response.status_code == 429:
            return _retry_after(response) <= LONGEST_PAUSE_S
        return not is_post and response.status_code in _TRANSIENT

    async def prepare_for_next_attempt_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        spread = random.uniform(0.0, 0.5)  # noqa: S311  it spreads retries and hides nothing
        if response is not None and response.status_code == 429:
            await self._sleep(_retry_after(response) + spread)
        else:
            await self._sleep(0.3 * 2**state.current_attempt + spread)
        state.increment_current_attempt()


def quiet_logger(part: str) -> logging.Logger:
    """A logger for Slack's libraries, which write payloads and response urls to theirs at DEBUG and INFO."""
    logger = logging.getLogger(f"{__name__}.{part}")
    logger.setLevel(logging.WARNING)
    return logger


def _retry_after(response: HttpResponse) -> float:
    for name, value in response.headers.items():
        text = value[0] if isinstance(value, list) and value else str(value)
        if name.lower() == "retry-after" and text.isdecimal():
            return float(text)
    return 1.0


@asynccontextmanager
async def open_client(
    token: str,
    *,
    base_url: str = SLACK_API,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[AsyncWebClient]:
    """A client on one shared session, which is closed at the end.

    Args:
        base_url: where the Web API is; a test points it at a stand-in.
        sleep: how retries pause.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S), trust_env=True) as session:
        client = AsyncWebClient(
            token=token,
            base_url=base_url if base_url.endswith("/") else f"{base_url}/",
            session=session,
            retry_handlers=[PatientRetries(sleep=sleep)],
            logger=quiet_logger("web"),
        )
        client.proxy = None  # the session knows the proxies of the environment, and NO_PROXY too
        yield client
