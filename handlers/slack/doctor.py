"""Whether Slack lets the bot in, and with what rights; each finding says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.errors import SLACK_FAILURES, delivery_error

BOT_SCOPES = ("chat:write", "commands")
"""What manifest.yaml asks for. A test compares the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a check."""

    is_fine: bool
    text: str


async def check_slack(client: AsyncWebClient, *, scopes: Iterable[str] = BOT_SCOPES) -> tuple[Finding, ...]:
    """Ask Slack whose token this is, and compare what it may with what the manifest asks for.

    Args:
        scopes: the bot scopes of the manifest.
    """
    try:
        said = await client.auth_test()
    except SLACK_FAILURES as error:
        return (Finding(is_fine=False, text=str(delivery_error(error))),)
    team, user = said.get("team"), said.get("user")
    found = [Finding(is_fine=True, text=f"the bot token belongs to {user} in the workspace {team} ({said['team_id']})")]
    headers = {str(name).lower(): str(value) for name, value in said.headers.items()}
    if "x-oauth-scopes" not in headers:
        return (*found, Finding(is_fine=True, text="Slack did not say which scopes the token has"))
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",") if scope.strip()}
    missing = sorted(set(scopes) - granted)
    unused = sorted(granted - set(scopes))
    if missing:
        advice = "add them under OAuth & Permissions, or use manifest.yaml, and reinstall the app"
        found.append(Finding(is_fine=False, text=f"missing scopes: {', '.join(missing)}; {advice}"))
    else:
        found.append(
            Finding(is_fine=True, text=f"the token has every scope of the manifest: {', '.join(sorted(scopes))}")
        )
    if unused:
        found.append(Finding(is_fine=True, text=f"scopes that the bot does not use: {', '.join(unused)}"))
    return tuple(found)
