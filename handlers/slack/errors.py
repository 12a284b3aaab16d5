"""What can go wrong with Slack, in words that say what to do.

SlackError
├── SlackSetupError      a token, a secret or a scope does not let us in
└── DeliveryError        a message could not be posted, changed or shown
"""

from __future__ import annotations

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from spectra_bot import SpectraError

SLACK_FAILURES = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
"""What a call of Slack's Web API raises; none of these leaves this package."""

GONE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "is_inactive",
        "thread_not_found",
        "user_not_found",
    }
)
"""The message or its place is not there any more, so there is nothing left to change."""

_CLOSED_TO_US = frozenset({"channel_not_found", "not_in_channel", "is_archived"})
TOKEN_REFUSALS = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})
TOO_MUCH = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
"""Slack does not take the message as it is."""


class SlackError(SpectraError):
    """The root of what this package raises for its callers."""


class SlackSetupError(SlackError):
    """A token, a secret or a scope does not let us in."""


class DeliveryError(SlackError):
    """A message could not be posted, changed or shown."""

    def __init__(
        self,
        what: str,
        *,
        code: str = "",
        channel: str | None = None,
        is_for_good: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        self.code = code
        """Slack's own error code, or empty where Slack could not be reached."""
        self.channel = channel
        self.is_for_good = is_for_good
        """It will not go away by itself: somebody must do what the message says."""
        self.retry_after_s = retry_after_s
        super().__init__(what)


def code_of(error: BaseException) -> str:
    """Slack's error code; empty where there is none."""
    if not isinstance(error, SlackApiError):
        return ""
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) else ""


def delivery_error(error: BaseException, channel: str | None = None) -> DeliveryError:
    """A failed call as what happened and what to do about it."""
    code = code_of(error)
    where = f"channel {channel}" if channel else "Slack"
    if code in _CLOSED_TO_US or code == "restricted_action":
        return DeliveryError(_CHANNEL_ADVICE[code].format(where=where), code=code, channel=channel, is_for_good=True)
    if code == "missing_scope":
        needed = _needed(error)
        what = f"the bot lacks the scope {needed}: take the scopes of manifest.yaml and reinstall the app"
        return DeliveryError(what, code=code, channel=channel, is_for_good=True)
    if code in TOKEN_REFUSALS:
        what = f"Slack refuses the bot token ({code}): install the app again and set SLACK_BOT_TOKEN to the new token"
        return DeliveryError(what, code=code, channel=channel, is_for_good=True)
    if code and code != "ratelimited":
        return DeliveryError(f"Slack refused the message for {where}: {code}", code=code, channel=channel)
    after = _retry_after(error)
    pause = f"; it asks to wait {after:g} s" if after else ""
    what = f"Slack did not take the message for {where} just now ({in_short(error)}){pause}; it is tried again"
    return DeliveryError(what, code=code, channel=channel, retry_after_s=after)


_CHANNEL_ADVICE = {
    "channel_not_found": "{where} is not there, or is private and the bot is not in it: "
    "invite the bot there with /invite, or name another channel",
    "not_in_channel": "the bot is not in {where}: invite it there with /invite, or name another channel",
    "is_archived": "{where} is archived: name another channel, or unarchive it",
    "restricted_action": "{where} lets only some people post: name another channel, or let the bot post there",
}


def _needed(error: BaseException) -> str:
    data = getattr(getattr(error, "response", None), "data", None)
    needed = data.get("needed") if isinstance(data, dict) else None
    return str(needed) if needed else "that this call needs"


def _retry_after(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, value in headers.items():
        if name.lower() == "retry-after" and str(value).isdecimal():
            return float(value)
    return None


def in_short(error: BaseException) -> str:
    """A failure without a code of Slack's in a word or two."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if isinstance(status, int) else type(error).__name__
