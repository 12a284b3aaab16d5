"""A server on loopback that speaks OpenAI's chat completions, streamed, by a script."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The model replies."""

    text: str = ""
    calls: Sequence[tuple[str, str, dict[str, Any]]] = ()
    """Id, tool and arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses:
    """The server refuses the call."""

    status: int
    retry_after: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreaksOff:
    """The connection is gone in the middle of the reply."""

    text: str


Turn = Says | Refuses | BreaksOff


@dataclass(slots=True, kw_only=True)
class ScriptedOpenAI:
    """What the server does, call by call, and what it was asked."""

    turns: list[Turn]
    asked: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        body = await request.json()
        self.asked.append(body)
        turn = self.turns.pop(0)
        if isinstance(turn, Refuses):
            return web.json_response(
                {"error": {"message": "slow down", "type": "rate_limit", "code": "rate_limit_exceeded"}},
                status=turn.status,
                headers={"Retry-After": turn.retry_after},
            )
        assert body["stream"] is True
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for letter in turn.text:
            await self._send(response, {"content": letter})
        if isinstance(turn, BreaksOff):
            assert request.transport is not None
            request.transport.abort()
            return response
        for index, (call_id, tool, arguments) in enumerate(turn.calls):
            function = {"name": tool, "arguments": json.dumps(arguments)}
            await self._send(
                response,
                {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]},
            )
        await self._send(response, {}, finish="tool_calls" if turn.calls else "stop")
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        await response.write(_event({**_chunk(), "choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _send(self, response: web.StreamResponse, delta: dict[str, Any], finish: str | None = None) -> None:
        await response.write(_event({**_chunk(), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))


def _chunk() -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o"}


def _event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextlib.asynccontextmanager
async def an_openai(*turns: Turn) -> AsyncIterator[ScriptedOpenAI]:
    """A server that does these, one call after the other, until the block ends."""
    script = ScriptedOpenAI(turns=list(turns))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", script.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield script
    finally:
        await runner.cleanup()
