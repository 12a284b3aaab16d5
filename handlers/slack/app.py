"""Bolt's app: which listener hears what."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.actions import Actions
from handlers.slack.buttons import OPTION_PREFIX
from handlers.slack.client import quiet_logger
from handlers.slack.commands import Commands
from handlers.slack.doorkeeper import Doorkeeper
from handlers.slack.errors import SlackSetupError
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.modals import CALLBACK_ID
from handlers.slack.payloads import is_well_formed
from handlers.slack.whisper import Whispers
from handlers.slack.workspace import Workspace
from spectra_bot import Runner

logger = logging.getLogger(__name__)


def build_slack_app(
    runner: Runner,
    handler: SlackApprovalHandler,
    *,
    client: AsyncWebClient,
    signing_secret: str | None = None,
    command: str = "/spectra",
    allow_other_workspaces: bool = False,
) -> AsyncApp:
    """The app that hears clicks, forms and the slash command, and passes them to the runner.

    Args:
        handler: the one that is registered with the runner, so that both change messages in order.
        signing_secret: what requests over HTTP are signed with; without it none is believed. Over Socket Mode nothing
            is signed.
        allow_other_workspaces: people who come by Slack Connect may decide and start runs too.

    Raises:
        SlackSetupError: the environment asks for an installation by OAuth, which this app has not.
    """
    workspace = Workspace(client)

    async def authorize() -> AuthorizeResult:
        home = await workspace.home()
        return AuthorizeResult(
            enterprise_id=None,
            team_id=home.team_id,
            bot_token=client.token,
            bot_id=home.bot_id,
            bot_user_id=home.bot_user_id,
        )

    log = quiet_logger("bolt")
    log.setLevel(logging.ERROR)  # Bolt warns that a token stands in the environment beside the client, as it should
    app = AsyncApp(
        name="spectra-bot",
        client=client,
        signing_secret=signing_secret or secrets.token_hex(),
        authorize=authorize,
        logger=log,
    )
    log.setLevel(logging.WARNING)
    if app.oauth_flow is not None:
        raise SlackSetupError("unset SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: this bot is installed in one workspace")
    doorkeeper = Doorkeeper(workspace, allow_other_workspaces=allow_other_workspaces)
    whispers = Whispers(client)
    actions = Actions(
        runner=runner,
        handler=handler,
        client=client,
        whispers=whispers,
        workspace=workspace,
        doorkeeper=doorkeeper,
    )
    commands = Commands(
        runner=runner,
        handler_name=handler.name,
        workspace=workspace,
        doorkeeper=doorkeeper,
        whispers=whispers,
        command=command,
    )
    app.middleware(_refuse_malformed)
    app.action(re.compile(f"^{re.escape(OPTION_PREFIX)}"))(actions.press)
    app.view(CALLBACK_ID)(actions.submit)
    app.command(command)(commands.obey)
    return app


async def _refuse_malformed(body: dict[str, Any], next_: Callable[[], Awaitable[None]]) -> BoltResponse | None:
    """Signed, and not as Slack sends it: nobody hears it."""
    if not is_well_formed(body):
        logger.warning("request refused: malformed")
        return BoltResponse(status=400)
    await next_()
    return None
