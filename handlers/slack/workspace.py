"""The workspace that the token belongs to, asked of Slack once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.errors import SLACK_FAILURES, TOKEN_REFUSALS, SlackSetupError, code_of, delivery_error

logger = logging.getLogger(__name__)

_START_WITHIN_S = 5.0
_TIMEOUT_S = 2.0
"""A click has 3 s in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Whose bot this is."""

    team_id: str
    url: str
    """The workspace's own address, ending in a slash."""
    bot_id: str
    bot_user_id: str


class Workspace:
    """Learns by `auth.test` where the bot is at home, and remembers it."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._home: Home | None = None
        self._asking = asyncio.Lock()

    async def home(self) -> Home:
        """Where the bot is at home.

        Raises:
            DeliveryError: Slack does not say, or does not say it in time.
        """
        if self._home is not None:
            return self._home
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._asking:
                if self._home is None:
                    said = await self._client.auth_test()
                    self._home = Home(
                        team_id=str(said["team_id"]),
                        url=str(said.get("url", "")),
                        bot_id=str(said.get("bot_id", "")),
                        bot_user_id=str(said.get("user_id", "")),
                    )
        except SLACK_FAILURES as error:
            raise delivery_error(error) from error
        return self._home

    async def link_to(self, channel: str, ts: str) -> str | None:
        """The address of a message, if the workspace's own address is known."""
        home = await self.home()
        return f"{home.url}archives/{channel}/p{ts.replace('.', '')}" if home.url.startswith("https://") else None


async def refuse_bad_token(client: AsyncWebClient) -> None:
    """Begin only with a bot token that Slack takes; a Slack that is away is waited for later.

    Raises:
        SlackSetupError: Slack refuses the token; says what to do.
    """
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            await client.auth_test()
    except SLACK_FAILURES as error:
        if code_of(error) in TOKEN_REFUSALS:
            raise SlackSetupError(str(delivery_error(error))) from error
        logger.warning("slack not reached yet; the bot goes on trying", extra={"slack_error": code_of(error)})
