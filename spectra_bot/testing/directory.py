"""The methods that tell who and what there is: the app itself, people, groups and channels."""

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Installation
from spectra_bot.testing.refusals import RefusedError
from spectra_bot.testing.workspace import Workspace

CONVERSATION_SCOPES = ("channels:read", "groups:read", "im:read", "mpim:read")
OPENING_SCOPES = ("im:write", "mpim:write", "channels:manage", "groups:write")


def auth_test(workspace: Workspace, by: Installation, _arguments: Arguments) -> JsonObject:
    """Tell whose token it is."""
    return {
        "ok": True,
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.domain,
        "team_id": workspace.team_id,
        "user": "spectra-bot",
        "user_id": by.bot_user_id,
        "bot_id": by.bot_id,
        "is_enterprise_install": False,
    }


def users_info(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Describe a person; the address only with `users:read.email`."""
    user = workspace.people.get(arguments.required("user"))
    if user is None:
        raise RefusedError("user_not_found")
    profile: JsonObject = {"real_name": user.name, "display_name": user.name}
    if "users:read.email" in by.scopes:
        profile["email"] = user.email
    return {
        "ok": True,
        "user": {
            "id": user.id,
            "team_id": user.team_id,
            "name": user.name,
            "real_name": user.name,
            "is_bot": user.is_bot,
            "is_stranger": user.team_id != workspace.team_id,
            "deleted": False,
            "profile": profile,
        },
    }


def group_members(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """List the members of a user group."""
    group = arguments.required("usergroup")
    if group not in workspace.groups:
        raise RefusedError("no_such_subteam")
    return {"ok": True, "users": [*workspace.groups[group]]}


def conversations_info(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Describe a channel; a private one without the app in it is not found."""
    channel = workspace.channel(arguments.required("channel"))
    if channel.is_private and not channel.has_bot:
        raise RefusedError("channel_not_found")
    return {
        "ok": True,
        "channel": {
            "id": channel.id,
            "name": channel.name,
            "is_channel": channel.im_user is None,
            "is_im": channel.im_user is not None,
            "is_private": channel.is_private or channel.im_user is not None,
            "is_archived": channel.is_archived,
            "is_member": channel.has_bot,
        },
    }


def conversations_open(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Open the direct message with a person."""
    return {"ok": True, "channel": {"id": workspace.direct_channel(arguments.required("users")).id}}


METHODS = (
    Method("auth.test", (), auth_test),
    Method("users.info", ("users:read",), users_info),
    Method("usergroups.users.list", ("usergroups:read",), group_members),
    Method("conversations.info", CONVERSATION_SCOPES, conversations_info),
    Method("conversations.open", OPENING_SCOPES, conversations_open),
)
