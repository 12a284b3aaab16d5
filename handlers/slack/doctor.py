"""Whether Slack lets the bot in, and with what rights; each finding says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.copies import HISTORY_SCOPES
from handlers.slack.errors import SLACK_FAILURES, TOKEN_REFUSALS, code_of, delivery_error, in_short
from handlers.slack.socket_mode import app_token_refusal

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
        refused = str(delivery_error(error)) if code_of(error) in TOKEN_REFUSALS else _trouble(error, client)
        return (Finding(is_fine=False, text=refused),)
    team, user = said.get("team"), said.get("user")
    whose = f"the bot token belongs to {user} in the workspace {team} ({said.get('team_id')})"
    found = [Finding(is_fine=True, text=whose)]
    headers = {str(name).lower(): str(value) for name, value in said.headers.items()}
    if "x-oauth-scopes" not in headers:
        return (*found, Finding(is_fine=True, text="Slack did not say which scopes the token has"))
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",") if scope.strip()}
    missing = sorted(set(scopes) - granted)
    unused = sorted(granted - set(scopes) - set(HISTORY_SCOPES))
    if missing:
        advice = "add them under OAuth & Permissions, or use manifest.yaml, and reinstall the app"
        found.append(Finding(is_fine=False, text=f"missing scopes: {', '.join(missing)}; {advice}"))
    else:
        found.append(
            Finding(is_fine=True, text=f"the token has every scope of the manifest: {', '.join(sorted(scopes))}")
        )
    found += [Finding(is_fine=True, text=_history(scope, is_granted=scope in granted)) for scope in HISTORY_SCOPES]
    if unused:
        found.append(Finding(is_fine=True, text=f"scopes that the bot does not use: {', '.join(unused)}"))
    return tuple(found)


async def check_app_token(client: AsyncWebClient, app_token: str) -> Finding:
    """Ask Slack for a socket's address, as Socket Mode begins; the socket itself is not opened."""
    try:
        await client.apps_connections_open(app_token=app_token)
    except SLACK_FAILURES as error:
        return Finding(is_fine=False, text=app_token_refusal(code_of(error)) or _trouble(error, client))
    return Finding(is_fine=True, text="the app token opens Socket Mode")


def _history(scope: str, *, is_granted: bool) -> str:
    kind = "private" if scope.startswith("groups") else "public"
    if is_granted:
        return f"{scope} is granted: in a {kind} channel a question is looked for before it is posted again"
    return f"{scope} is not granted, and need not be: after a failure a question may stand twice in a {kind} channel"


def _trouble(error: BaseException, client: AsyncWebClient) -> str:
    """A check that got no answer, or one that it did not expect."""
    code = code_of(error)
    if code == "ratelimited":
        return "Slack asks to wait a little (ratelimited): run doctor again in a minute"
    if code:
        return f"Slack answered the check with {code}: https://docs.slack.dev/reference/methods tells what that means"
    return (
        f"Slack can't be reached at {client.base_url} ({in_short(error)}), so its tokens were not checked: look at "
        "the network, HTTPS_PROXY and SPECTRA_SLACK_API_URL, and run doctor again"
    )
