"""Who is let in: people of the bot's own workspace, and others only where a setting says so."""

from __future__ import annotations

import logging

from handlers.slack.payloads import Person
from handlers.slack.workspace import Workspace

logger = logging.getLogger(__name__)

REFUSAL = "✋ You are of another workspace than this bot, and may not do this here. Nothing changed."
UNPLACED = "✋ Slack did not say of which workspace you are, so you may not do this here. Nothing changed."


class Doorkeeper:
    """Turns away people of other workspaces, who reach the bot by Slack Connect."""

    def __init__(self, workspace: Workspace, *, allow_other_workspaces: bool = False) -> None:
        self._workspace = workspace
        self._allow = allow_other_workspaces

    async def refusal(self, person: Person) -> str | None:
        """What to tell this person instead of doing what they ask; None lets them in.

        Raises:
            DeliveryError: Slack did not say whose bot this is, so nobody can be let in.
        """
        if not person.team or not person.user:
            # An identity without a workspace is nobody's, so no setting lets it in.
            logger.warning("person without a workspace refused", extra={"by": person.identity})
            return UNPLACED
        if self._allow:
            return None
        home = await self._workspace.home()
        if person.team == home.team_id:
            return None
        logger.warning("person of another workspace refused", extra={"by": person.identity})
        return REFUSAL
