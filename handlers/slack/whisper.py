"""Telling one person something, where nobody else sees it."""

from __future__ import annotations

import asyncio
import logging

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.slack.client import quiet_logger
from handlers.slack.errors import SLACK_FAILURES, code_of
from handlers.slack.layout import Message
from handlers.slack.payloads import TypedCommand

logger = logging.getLogger(__name__)


class Whispers:
    """Private messages, each in answer to something that a person did."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def tell(
        self, message: Message | str, *, response_url: str, channel: str, user: str, within_s: float = 10.0
    ) -> bool:
        """Show a person a message that only they see; whether Slack took it.

        The response url reaches them where the bot is not; it works five times in half an hour, and where it fails
        the message is posted by the Web API.
        """
        said = Message(text=message) if isinstance(message, str) else message
        try:
            async with asyncio.timeout(within_s):
                return await self._respond(said, response_url) or await self._post(said, channel, user)
        except TimeoutError:
            logger.warning("private message not shown", extra={"slack_error": "timeout", "channel": channel})
            return False

    async def answer(self, message: Message, typed: TypedCommand) -> bool:
        """Show somebody what came of the command that they typed; whether Slack took it."""
        return await self.tell(message, response_url=typed.response_url, channel=typed.channel, user=typed.person.user)

    async def write(self, text: str, *, user: str, within_s: float = 10.0) -> bool:
        """Write to a person directly, who finds it whenever they look; whether Slack took it."""
        try:
            async with asyncio.timeout(within_s):
                await self._client.chat_postMessage(channel=user, text=text)
        except SLACK_FAILURES as error:
            logger.warning("direct message not written", extra={"slack_error": code_of(error)})
            return False
        return True

    async def _respond(self, message: Message, response_url: str) -> bool:
        if not response_url:
            return False
        webhook = AsyncWebhookClient(
            response_url,
            session=self._client.session,
            retry_handlers=self._client.retry_handlers,
            logger=quiet_logger("webhook"),
        )
        webhook.proxy = self._client.proxy
        try:
            said = await webhook.send(
                text=message.text,
                blocks=list(message.blocks) or None,
                response_type="ephemeral",
                replace_original=False,
            )
        except SLACK_FAILURES:
            return False
        return said.status_code == 200 and '"ok":false' not in (said.body or "").replace(" ", "")

    async def _post(self, message: Message, channel: str, user: str) -> bool:
        try:
            await self._client.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=list(message.blocks) or None
            )
        except SLACK_FAILURES as error:
            logger.warning("private message not shown", extra={"slack_error": code_of(error), "channel": channel})
            return False
        return True
