"""Delivering payloads to the app over real websockets, as Socket Mode does."""

import asyncio
import json
from collections.abc import Callable
from enum import StrEnum

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import JsonValue

from spectra_bot.testing.delivery import Reply, Retry, Signature
from spectra_bot.testing.json_shapes import JsonObject, as_text
from spectra_bot.testing.payloads import Kind, Payload
from spectra_bot.testing.people import NotPossibleError

MOST_CONNECTIONS = 10


class DisconnectReason(StrEnum):
    """Why Slack asks for another connection. `WARNING` comes about 10 s ahead of the end."""

    WARNING = "warning"
    REFRESH_REQUESTED = "refresh_requested"
    LINK_DISABLED = "link_disabled"
    TOO_MANY_WEBSOCKETS = "too_many_websockets"


class SocketMode:
    """The connections of the app, and the payloads under way on them.

    A payload goes to one connection, each in turn. A connection that was warned gets no more of them.
    """

    def __init__(self, *, app_id: str, within_s: float, wake: Callable[[], None]) -> None:
        """Wait `within_s` seconds for an ack; call `wake` when connections come and go."""
        self._app_id = app_id
        self._within_s = within_s
        self._wake = wake
        self._tickets: set[str] = set()
        self._open: list[web.WebSocketResponse] = []
        self._warned: list[web.WebSocketResponse] = []
        self._awaited: dict[str, asyncio.Future[JsonValue]] = {}
        self._carried = 0
        self._opened = 0

    @property
    def connections(self) -> int:
        """How many connections take payloads now."""
        return len(self._open)

    @property
    def opened(self) -> int:
        """How many connections there were so far."""
        return self._opened

    def issue(self, ticket: str) -> None:
        """Let one connection in with this ticket."""
        self._tickets.add(ticket)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one connection until either side ends it."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=408, text="the ticket is unknown or was used")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._open) >= MOST_CONNECTIONS:
            await socket.send_json(_disconnect(DisconnectReason.TOO_MANY_WEBSOCKETS))
            await socket.close()
            return socket
        # Known before the client can hear `hello`, so that whoever waits for one sees the other.
        self._open.append(socket)
        self._opened += 1
        try:
            await socket.send_json(self._hello())
            self._wake()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            self._forget(socket)
        return socket

    async def carry(self, payload: Payload, *, signature: Signature, retry: Retry | None) -> Reply:
        """Send the payload down one connection and wait for its ack.

        Raises:
            NotPossibleError: a signature other than a genuine one; Socket Mode has none.
        """
        if signature is not Signature.GENUINE:
            raise NotPossibleError("Socket Mode has no signatures to forge")
        loop = asyncio.get_running_loop()
        started = loop.time()
        if not self._open:
            return Reply(status=None, took_s=0.0)
        socket = self._open[self._carried % len(self._open)]
        self._carried += 1
        envelope_id = f"envelope-{self._carried}"
        acked = self._awaited[envelope_id] = loop.create_future()
        try:
            async with asyncio.timeout(self._within_s):
                await socket.send_json(_envelope(envelope_id, payload, retry))
                body = await acked
        except (TimeoutError, ConnectionError):
            return Reply(status=None, took_s=loop.time() - started)
        finally:
            del self._awaited[envelope_id]
        return Reply(status=200, body=body, took_s=loop.time() - started)

    async def disconnect(self, reason: DisconnectReason = DisconnectReason.WARNING) -> None:
        """Ask the app to connect anew; after a warning the old connections live until it has.

        Any other reason closes them at once.
        """
        leaving, self._open = self._open, []
        self._warned += leaving
        for socket in leaving:
            await socket.send_json(_disconnect(reason))
            if reason is not DisconnectReason.WARNING:
                await socket.close(code=WSCloseCode.GOING_AWAY)

    async def close(self) -> None:
        """End every connection."""
        for socket in [*self._open, *self._warned]:
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _hello(self) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "debug_info": {"host": "applink-fake", "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }

    def _take(self, data: str) -> None:
        message: JsonObject = json.loads(data)
        acked = self._awaited.get(as_text(message.get("envelope_id")))
        if acked is not None and not acked.done():
            acked.set_result(message.get("payload"))

    def _forget(self, socket: web.WebSocketResponse) -> None:
        for group in (self._open, self._warned):
            if socket in group:
                group.remove(socket)
        self._wake()


def _envelope(envelope_id: str, payload: Payload, retry: Retry | None) -> JsonObject:
    envelope: JsonObject = {
        "envelope_id": envelope_id,
        "type": payload.kind.value,
        "payload": payload.body,
        "accepts_response_payload": payload.may_answer,
    }
    if payload.kind is Kind.EVENT or retry is not None:
        envelope["retry_attempt"] = retry.number if retry else 0
        envelope["retry_reason"] = retry.reason if retry else ""
    return envelope


def _disconnect(reason: DisconnectReason) -> JsonObject:
    return {"type": "disconnect", "reason": reason.value, "debug_info": {"host": "applink-fake"}}
