"""Finds where a question stands already, in channels that the bot was allowed to read."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from pydantic import JsonValue
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.errors import SLACK_FAILURES, code_of, delivery_error
from handlers.slack.layout import Block
from handlers.slack.messages import Place
from handlers.slack.workspace import Workspace
from spectra_bot import InterruptRequest

logger = logging.getLogger(__name__)

HISTORY_SCOPES = ("channels:history", "groups:history")
"""For public and for private channels. The bot does without: https://docs.slack.dev/reference/methods/conversations.history"""

_METADATA_EVENT = "spectra_interrupt"
_PAGE = 200
_MOST_PAGES = 5
_CLOCKS_DIFFER = timedelta(minutes=5)


def metadata_of(request: InterruptRequest, *, as_group: bool = False) -> Block:
    """What marks a message as this question, or as the one whose first row this is.

    Everybody in the workspace can read it, and write it on their own.
    """
    name = "first_interrupt_id" if as_group else "interrupt_id"
    return {"event_type": _METADATA_EVENT, "event_payload": {name: request.id}}


class Copies:
    """Looks through a channel's newest messages for those of this bot that ask one question."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._workspace = Workspace(client)
        self._unreadable: set[str] = set()
        """Channels for which the scope is missing; a bot that is given it starts anew."""

    async def find(
        self, channel: str, request: InterruptRequest, *, but: Place | None = None, as_group: bool = False
    ) -> Place | None:
        """Where the question stands, the newest place first; None also where Slack does not let us look.

        Args:
            as_group: in the message whose first row it is, instead of one of its own.
            but: a place that does not count.

        Raises:
            DeliveryError: Slack could not be reached; look again later.
        """
        if channel in self._unreadable:
            return None
        try:
            async for message in self._newest(channel, request):
                place = await self._asks(message, channel, metadata_of(request, as_group=as_group))
                if place is not None and place != but:
                    return place
        except SLACK_FAILURES as error:
            code = code_of(error)
            if not code:
                raise delivery_error(error, channel) from error
            if code == "missing_scope":
                self._unreadable.add(channel)
            # Better twice than late: where we may not look, or not now, the question is posted all the same.
            logger.info("channel not searched for a copy", extra={"channel": channel, "slack_error": code})
        return None

    async def _newest(self, channel: str, request: InterruptRequest) -> AsyncIterator[JsonValue]:
        oldest = f"{(request.created_at - _CLOCKS_DIFFER).timestamp():.6f}" if request.created_at else None
        cursor = None
        for _ in range(_MOST_PAGES):
            page = await self._client.conversations_history(
                channel=channel, oldest=oldest, cursor=cursor, limit=_PAGE, include_all_metadata=True
            )
            for message in page.get("messages") or ():
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    async def _asks(self, message: JsonValue, channel: str, wanted: Block) -> Place | None:
        match message:
            case {"metadata": metadata, "bot_id": str(author), "ts": str(ts)} if metadata == wanted:
                is_ours = author == (await self._workspace.home()).bot_id
                return Place(channel=channel, ts=ts) if is_ours else None
            case _:
                return None
