"""Keeps what an agent has done, as effects of its step: nothing that was answered or finished is done again.

A re-run of the step runs the agent from its first message; each reply of the model and each result of a tool comes out
of the store, so it arrives where it was without a call. That needs the agent's code to be the same from run to run,
as a step's has to be; https://pydantic.dev/docs/ai/capabilities/durable_execution describes the same rule.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from pydantic import ConfigDict, JsonValue, TypeAdapter
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.messages import (
    BaseToolCallPart,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    ToolReturn,
    ToolReturnContent,
)
from pydantic_ai.tools import ToolApproved, ToolDenied
from pydantic_core import to_jsonable_python

from spectra_bot.agent.limits import price_of
from spectra_bot.context import StepContext

CALL, APPROVED_CALL, DECISION = "call", "approved call", "decision"
"""What is kept of a tool call, by its keys."""

Decision = ToolApproved | ToolDenied

_WAITING = {"needs_approval", "deferred"}
"""What a call came to that has not been made yet."""

_Calls = set[asyncio.Future[ModelResponse]]
_around: ContextVar[tuple[_Calls, ...]] = ContextVar("_around", default=())
"""The calls of models under way in each tool call around this one, which may be agents."""

_REPLY = TypeAdapter(ModelResponse)
_RETURNED: TypeAdapter[Any] = TypeAdapter(ToolReturnContent, config=ConfigDict(ser_json_bytes="base64"))
_TOOL_RETURN: TypeAdapter[ToolReturn] = TypeAdapter(ToolReturn)
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


async def recorded_reply(
    ctx: StepContext, key: str, call: Callable[[], Awaitable[ModelResponse]]
) -> tuple[ModelResponse, float, Decimal | None]:
    """A reply of the model, the seconds it took and its price; the model is called only if it has not replied yet.

    Each of its calls has an id of its own, whatever the provider gave them, so that its result reaches no other.

    The price is kept, for people are shown it: a question about what was decided must not change with a list of prices.

    The call is stopped with the step, unlike other effects: nothing of it is of use to anybody then.
    """
    calling: asyncio.Future[ModelResponse] | None = None

    async def effect() -> JsonValue:
        nonlocal calling
        began = time.monotonic()
        calling = asyncio.ensure_future(call())
        for calls in _around.get():
            calls.add(calling)
            calling.add_done_callback(calls.discard)
        reply = _with_own_ids(await calling)
        price = price_of(reply)
        return {
            "reply": _REPLY.dump_python(reply, mode="json"),
            "seconds": round(time.monotonic() - began, 3),
            "price": None if price is None else str(price),
        }

    try:
        stored = await ctx.once(key, effect)
    except asyncio.CancelledError:
        if calling is not None:
            calling.cancel()
        raise
    price = stored.get("price")
    return _REPLY.validate_python(stored["reply"]), float(stored["seconds"]), None if price is None else Decimal(price)


async def recorded_tool(
    ctx: StepContext, key: str, call: Callable[[], Awaitable[Any]], *, finished: Callable[[float], None]
) -> Any:
    """What a tool call came to: a return, or one of pydantic-ai's signals.

    It ends though its step is stopped, but for the models of agents in it.

    Args:
        finished: told the seconds it took, unless it waits for somebody.
    """
    models: _Calls = set()

    async def effect() -> JsonValue:
        began = time.monotonic()
        _around.set((*_around.get(), models))  # for this effect only: it is a task of its own
        outcome = await _outcome(call)
        return {**outcome, "seconds": round(time.monotonic() - began, 3)}

    try:
        stored = await ctx.once(key, effect)
    except asyncio.CancelledError:
        for calling in tuple(models):
            calling.cancel()
        raise
    if not _WAITING & stored.keys():
        finished(float(stored["seconds"]))
    return _told(stored)


async def recorded_decision(ctx: StepContext, decide: Callable[[], Awaitable[Decision]]) -> Decision:
    """What people decided about a tool call; once they have, a retry asks nobody again, for replies rest on it."""

    async def effect() -> JsonValue:
        decision: JsonValue = _DECISION.dump_python(await decide(), mode="json")
        return decision

    return _DECISION.validate_python(await ctx.once(DECISION, effect))


def is_decided(ctx: StepContext) -> bool:
    """An earlier execution knew what people decided about this tool call."""
    return f"{ctx.scope}{DECISION}" in ctx.stored


def finished_as(ctx: StepContext) -> str | None:
    """The key under which this tool call ended in an earlier execution; None if it did not.

    Whether calls need approval may be told by another rule by now: what is done is not done again for that.
    """
    for key in (APPROVED_CALL, CALL):
        name = f"{ctx.scope}{key}"
        stored = ctx.stored.get(name)
        if name in ctx.spoiled or (isinstance(stored, dict) and "needs_approval" not in stored):
            return key
    return None


def _with_own_ids(reply: ModelResponse) -> ModelResponse:
    taken = {part.tool_call_id for part in reply.parts if isinstance(part, BaseToolCallPart)}
    met: set[str] = set()
    parts: list[ModelResponsePart] = []
    for part in reply.parts:
        if isinstance(part, ToolCallPart):
            if part.tool_call_id in met:
                free = (f"{part.tool_call_id}_{number}" for number in count(2))
                part = replace(part, tool_call_id=next(name for name in free if name not in taken))  # noqa: PLW2901
                taken.add(part.tool_call_id)
            met.add(part.tool_call_id)
        parts.append(part)
    return replace(reply, parts=parts)


async def _outcome(call: Callable[[], Awaitable[Any]]) -> dict[str, JsonValue]:
    try:
        result = await call()
    except ModelRetry as signal:
        return {"retry": signal.message}
    except ToolFailed as signal:
        return {"failed": signal.message}
    except ApprovalRequired as signal:
        return {"needs_approval": to_jsonable_python(signal.metadata)}
    except CallDeferred as signal:
        return {"deferred": to_jsonable_python(signal.metadata)}
    name, kept_as = ("tool_return", _TOOL_RETURN) if isinstance(result, ToolReturn) else ("returned", _RETURNED)
    try:
        return {name: kept_as.dump_python(result, mode="json")}
    except ValueError:
        return {name: result}  # the tool has done its work all the same: `once` keeps that, and says what is wrong


def _told(stored: dict[str, Any]) -> Any:
    match stored:
        case {"returned": value}:  # images and the like are themselves again
            return _RETURNED.validate_python(value)
        case {"tool_return": value}:
            return _TOOL_RETURN.validate_python(value)
        case {"retry": message}:
            raise ModelRetry(message)
        case {"failed": message}:
            raise ToolFailed(message)
        case {"needs_approval": metadata}:
            raise ApprovalRequired(metadata=metadata)
        case {"deferred": metadata}:
            raise CallDeferred(metadata=metadata)
    raise AssertionError(f"no outcome of a tool call: {sorted(stored)}")
