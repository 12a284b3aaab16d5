"""`conversations.history`: what stands in a channel, newest first, for an app that was granted to read it."""

import base64
import binascii

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.messages import Message
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Channel, Installation
from spectra_bot.testing.refusals import RefusedError
from spectra_bot.testing.workspace import Workspace

SCOPES = ("channels:history", "groups:history", "im:history", "mpim:history")
DEFAULT_LIMIT = 100


def conversations_history(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """List what stands outside the threads, between `oldest` and `latest`, a page at a time.

    Metadata is told with `include_all_metadata` only, and that of other apps too.
    """
    channel = _readable(workspace, by, arguments.required("channel"))
    oldest, latest = _moment(arguments, "oldest"), _cursor(arguments) or _moment(arguments, "latest")
    is_inclusive = arguments.flag("inclusive")
    found = [
        message
        for message in reversed(workspace.standing_in(channel.id))
        if (message.thread_ts in (None, message.ts) or message.is_broadcast)
        and _is_between(message.ts, oldest, latest, is_inclusive=is_inclusive)
    ]
    limit = _limit(arguments, by.history_limit)
    page, rest = found[:limit], found[limit:]
    answer: JsonObject = {
        "ok": True,
        "messages": [_payload(workspace, message, arguments.flag("include_all_metadata")) for message in page],
        "has_more": bool(rest),
    }
    if rest:
        cursor = base64.b64encode(f"next_ts:{page[-1].ts}".encode()).decode()
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def _readable(workspace: Workspace, by: Installation, name: str) -> Channel:
    """A channel by its id: no name will do here.

    Raises:
        RefusedError: `channel_not_found`, `missing_scope` for its kind, or `not_in_channel`.
    """
    channel = workspace.channels.get(name)
    if channel is None or (channel.is_private and not channel.has_bot):
        raise RefusedError("channel_not_found")
    needed = "im:history" if channel.im_user else "groups:history" if channel.is_private else "channels:history"
    if needed not in by.scopes:
        raise RefusedError("missing_scope", needed=needed, provided=",".join(sorted(by.scopes)))
    if not channel.has_bot:
        raise RefusedError("not_in_channel")
    return channel


def _payload(workspace: Workspace, message: Message, with_metadata: bool) -> JsonObject:
    author = next((app for app in workspace.installations.values() if app.bot_id == message.bot_id), workspace.app)
    payload = message.payload(app_id=author.app_id, team_id=workspace.team_id)
    if not with_metadata:
        payload.pop("metadata", None)
    return payload


def _is_between(ts: str, oldest: str, latest: str, *, is_inclusive: bool) -> bool:
    if is_inclusive and ts in (oldest, latest):
        return True
    return (not oldest or float(ts) > float(oldest)) and (not latest or float(ts) < float(latest))


def _moment(arguments: Arguments, name: str) -> str:
    text = arguments.text(name)
    try:
        float(text or 0)
    except ValueError:
        raise RefusedError(f"invalid_ts_{name}") from None
    return text


def _cursor(arguments: Arguments) -> str:
    try:
        return base64.b64decode(arguments.text("cursor"), validate=True).decode().removeprefix("next_ts:")
    except (binascii.Error, UnicodeDecodeError):
        raise RefusedError("invalid_cursor") from None


def _limit(arguments: Arguments, most: int) -> int:
    asked = arguments.text("limit") or str(DEFAULT_LIMIT)
    if not asked.isdecimal() or not 0 < int(asked) <= 999:
        raise RefusedError("invalid_limit")
    return min(int(asked), most)


METHODS = (Method("conversations.history", SCOPES, conversations_history),)
