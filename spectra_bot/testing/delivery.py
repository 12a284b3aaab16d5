"""Delivering payloads to the app by signed HTTP requests, and what the app answers."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlencode

import aiohttp
from pydantic import JsonValue

from spectra_bot.testing.json_shapes import JsonObject, as_object, as_text
from spectra_bot.testing.payloads import Kind, Payload
from spectra_bot.testing.people import NotPossibleError

STALE_BY_S = 6 * 60


class Signature(StrEnum):
    """How a request is signed. Only a genuine one may have an effect."""

    GENUINE = "genuine"
    FORGED = "forged"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A repeated delivery: which one it is, from 1, and why."""

    number: int = 1
    reason: str = "http_timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `status` is None when nothing did, and 200 for an ack over Socket Mode."""

    status: int | None
    body: JsonValue = None
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """How the app took a payload, as the person saw it.

    `problem` says what Slack would not show of the answer: blocks over a limit, errors that name no
    input, or no answer in time (a warning triangle in the client).
    """

    payload: Payload
    status: int | None
    body: JsonValue
    took_s: float
    problem: str | None = None

    @property
    def is_acked(self) -> bool:
        """Tell whether the app said in time that it has the payload."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The text answered to a command."""
        return as_text(self.body) or as_text(as_object(self.body).get("text"))

    @property
    def errors(self) -> dict[str, str]:
        """The fields of a modal that the app marked, by block id."""
        marked = as_object(as_object(self.body).get("errors"))
        return {name: as_text(text) for name, text in marked.items()}


class Transport(Protocol):
    """A way from Slack to the app."""

    async def carry(self, payload: Payload, *, signature: Signature, retry: Retry | None) -> Reply:
        """Deliver a payload and wait for its ack, 3 seconds at most."""


class SignedHttp:
    """Posts payloads to the app's request url, signed as Slack signs them."""

    def __init__(
        self,
        *,
        session: Callable[[], aiohttp.ClientSession],
        signing_secret: str,
        url: Callable[[], str],
        signed_at: Callable[[], float],
        within_s: float,
    ) -> None:
        """Deliver over `session`, which the caller closes.

        Args:
            signed_at: the clock of the signatures, in seconds since the epoch.
            within_s: after this many seconds Slack hangs up.
        """
        self._session = session
        self._secret = signing_secret
        self._url = url
        self._signed_at = signed_at
        self._within_s = within_s

    async def carry(self, payload: Payload, *, signature: Signature, retry: Retry | None) -> Reply:
        """Post the payload; a late, broken or refused connection is a reply without a status."""
        if not self._url():
            raise NotPossibleError("the fake has no app_url to deliver to")
        content_type, body = encode(payload)
        headers = {"Content-Type": content_type, **self._sign(body, signature)}
        if retry is not None:
            headers |= {"x-slack-retry-num": str(retry.number), "x-slack-retry-reason": retry.reason}
        loop = asyncio.get_running_loop()
        started = loop.time()
        timeout = aiohttp.ClientTimeout(total=self._within_s)
        try:
            async with self._session().post(
                self._url(), data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                answer = _decode(await response.text(), response.content_type)
                return Reply(status=response.status, body=answer, took_s=loop.time() - started)
        except (TimeoutError, aiohttp.ClientError):
            return Reply(status=None, took_s=loop.time() - started)

    def _sign(self, body: bytes, signature: Signature) -> dict[str, str]:
        age = STALE_BY_S if signature is Signature.STALE else 0
        timestamp = str(int(self._signed_at()) - age)
        if signature is Signature.MISSING:
            return {"X-Slack-Request-Timestamp": timestamp}
        secret = "someone else's" if signature is Signature.FORGED else self._secret
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": sign(secret, timestamp, body)}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a raw body: https://docs.slack.dev/authentication/verifying-requests-from-slack/."""
    basis = b":".join([b"v0", timestamp.encode(), body])
    return "v0=" + hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()


def encode(payload: Payload) -> tuple[str, bytes]:
    """Encode a payload as Slack posts it: its content type and raw body."""
    form = "application/x-www-form-urlencoded"
    match payload.kind:
        case Kind.EVENT:
            return "application/json", json.dumps(payload.body).encode()
        case Kind.COMMAND:
            return form, urlencode({key: str(value) for key, value in payload.body.items()}).encode()
        case Kind.INTERACTIVE:
            return form, urlencode({"payload": json.dumps(payload.body)}).encode()


def _decode(body: str, content_type: str) -> JsonValue:
    if not body:
        return None
    if content_type != "application/json":
        return body
    try:
        decoded: JsonObject = json.loads(body)
    except ValueError:
        return body
    return decoded
