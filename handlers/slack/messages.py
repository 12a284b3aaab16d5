"""What stands in Slack: posting messages and bringing them up to date, each in order."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from pydantic import JsonValue
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack.errors import SLACK_FAILURES, TOO_MUCH, code_of, delivery_error
from handlers.slack.layout import Block, Message

logger = logging.getLogger(__name__)

_REMEMBERED = 10_000

_POST_ENDS_S = 5.0
"""How long a post goes on after its caller was cancelled."""

_Shown = TypeVar("_Shown")

Draw = Callable[[bool], Message]
"""Draws a message; the flag asks for the bare one, which Slack takes for certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands."""

    channel: str
    ts: str

    def receipt(self) -> dict[str, JsonValue]:
        """The place as it is stored with a delivery."""
        return {"channel": self.channel, "ts": self.ts}

    @classmethod
    def of(cls, receipt: object) -> Place | None:
        """The place that a stored receipt names."""
        match receipt:
            case {"channel": str(channel), "ts": str(ts)} if channel and ts:
                return cls(channel=channel, ts=ts)
            case _:
                return None


class Messages:
    """Posts and changes messages. One that got its final form never goes back to an earlier one."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._changing: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._final: OrderedDict[Place, None] = OrderedDict()

    async def post(
        self, channel: str, draw: Draw, *, metadata: Block | None = None, thread_ts: str | None = None
    ) -> Place:
        """Post a message, the bare one where Slack does not take the whole.

        A post that has begun ends although its caller is cancelled, and the place is returned then too.

        Raises:
            DeliveryError: it could not be posted; says what to do.
        """
        more: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        if metadata:
            more["metadata"] = metadata
        if thread_ts:
            more["thread_ts"] = thread_ts

        async def call(message: Message) -> Place:
            said = await _to_its_end(
                self._client.chat_postMessage(channel=channel, text=message.text, blocks=list(message.blocks), **more)
            )
            return Place(channel=str(said["channel"]), ts=str(said["ts"]))

        try:
            try:
                return await call(await asyncio.to_thread(draw, False))
            except SLACK_FAILURES as error:
                if code_of(error) not in TOO_MUCH:
                    raise
                logger.warning("message refused as it was", extra={"slack_error": code_of(error), "channel": channel})
                return await call(await asyncio.to_thread(draw, True))
        except SLACK_FAILURES as error:
            raise delivery_error(error, channel) from error

    async def change(self, place: Place, draw: Draw, *, is_final: bool) -> None:
        """Give a message another form, unless it has its final one and this is none.

        Raises:
            DeliveryError: it could not be changed.
        """
        lock = self._changing.setdefault(place, asyncio.Lock())
        async with lock:
            if place in self._final and not is_final:
                return
            try:
                await self._update(place, draw)
            except SLACK_FAILURES as error:
                raise delivery_error(error, place.channel) from error
            if is_final:
                self._remember(place)

    async def redraw(
        self, place: Place, read: Callable[[], Awaitable[_Shown]], draw: Callable[[_Shown, bool], Message]
    ) -> None:
        """Have a message show the newest of something that others may change and draw as well.

        Whoever changed the message last has looked again afterwards. So what it shows in the end is the newest, in
        whatever order the changes of several processes arrive.

        Raises:
            DeliveryError: it could not be changed.
        """
        lock = self._changing.setdefault(place, asyncio.Lock())
        async with lock:
            newest = await read()
            while True:
                shown = newest
                try:
                    await self._update(place, partial(draw, shown))
                except SLACK_FAILURES as error:
                    raise delivery_error(error, place.channel) from error
                newest = await read()
                if newest == shown:
                    return

    async def _update(self, place: Place, draw: Draw) -> None:
        for is_bare in (False, True):
            message = await asyncio.to_thread(draw, is_bare)
            try:
                await self._client.chat_update(
                    channel=place.channel, ts=place.ts, text=message.text, blocks=list(message.blocks)
                )
            except SLACK_FAILURES as error:
                if is_bare or code_of(error) not in TOO_MUCH:
                    raise
                logger.warning(
                    "message refused as it was", extra={"slack_error": code_of(error), "channel": place.channel}
                )
            else:
                return

    def _remember(self, place: Place) -> None:
        self._final[place] = None
        self._final.move_to_end(place)
        while len(self._final) > _REMEMBERED:
            self._final.popitem(last=False)


async def _to_its_end(call: Coroutine[Any, Any, AsyncSlackResponse]) -> AsyncSlackResponse:
    """What Slack said to a call that changes something, also if we are cancelled while it is under way."""
    task = asyncio.create_task(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_POST_ENDS_S)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        raise
    finally:
        task.cancel()
