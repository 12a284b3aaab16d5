"""The chat.* methods and the response url: posting, editing and taking back messages."""

from pydantic import JsonValue

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.json_shapes import JsonObject, as_list, as_object
from spectra_bot.testing.limits import blocks_of, check_message, check_metadata, cut
from spectra_bot.testing.messages import Message
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Channel, Installation
from spectra_bot.testing.refusals import RefusedError
from spectra_bot.testing.tickets import Ticket
from spectra_bot.testing.workspace import Workspace

WRITE = ("chat:write",)


def reachable(workspace: Workspace, by: Installation, name: str, *, archived: str = "is_archived") -> Channel:
    """Find a channel that the app may write to; a user id stands for the direct message with them.

    Args:
        archived: the error code of the method for an archived channel.

    Raises:
        RefusedError: `channel_not_found`, `not_in_channel`, or `archived`.
    """
    channel = workspace.direct_channel(name) if name in workspace.people else workspace.channel(name)
    if not channel.has_bot:
        if channel.is_private:
            raise RefusedError("channel_not_found")
        if "chat:write.public" not in by.scopes:
            raise RefusedError("not_in_channel")
    if channel.is_archived:
        raise RefusedError(archived)
    return channel


def _metadata(arguments: Arguments) -> JsonObject | None:
    if not arguments.has("metadata"):
        return None
    metadata = arguments.decoded("metadata")
    check_metadata(metadata)
    return as_object(metadata) or None


def _thread(workspace: Workspace, channel: Channel, arguments: Arguments) -> str | None:
    thread_ts = arguments.text("thread_ts") or None
    if thread_ts and (channel.id, thread_ts) not in workspace.messages:
        raise RefusedError("thread_not_found")
    return thread_ts


def _answer(workspace: Workspace, by: Installation, message: Message) -> JsonObject:
    payload: JsonValue = message.payload(app_id=by.app_id, team_id=workspace.team_id)
    return {
        "ok": True,
        "channel": message.channel,
        "ts": message.ts,
        "text": message.text,
        "message": payload,
    }


def post_message(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Post into a channel, a thread, or to a person."""
    channel = reachable(workspace, by, arguments.required("channel"))
    blocks = blocks_of(arguments.decoded("blocks"))
    text = arguments.text("text")
    check_message(text, blocks)
    message = workspace.post(
        channel=channel.id,
        text=cut(text),
        blocks=blocks,
        by=by,
        thread_ts=_thread(workspace, channel, arguments),
        metadata=_metadata(arguments),
        is_broadcast=arguments.flag("reply_broadcast"),
    )
    return _answer(workspace, by, message)


def post_ephemeral(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Show one person a message in a channel."""
    channel = reachable(workspace, by, arguments.required("channel"))
    user = arguments.required("user")
    if user not in workspace.people:
        raise RefusedError("user_not_in_channel")
    blocks = blocks_of(arguments.decoded("blocks"))
    text = arguments.text("text")
    check_message(text, blocks)
    thread_ts = _thread(workspace, channel, arguments)
    said = workspace.whisper(channel=channel.id, user=user, text=cut(text), blocks=blocks, thread_ts=thread_ts)
    return {"ok": True, "message_ts": said.ts}


def update(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Edit an own message; `text` without `blocks` removes the blocks, omitted metadata stays."""
    name = arguments.required("channel")
    if name in workspace.people:
        raise RefusedError("channel_not_found")
    channel = reachable(workspace, by, name, archived="is_inactive")
    message = workspace.standing(channel.id, arguments.required("ts"))
    if message.bot_id != by.bot_id:
        raise RefusedError("cant_update_message")
    blocks = blocks_of(arguments.decoded("blocks"))
    text = arguments.text("text")
    check_message(text, blocks, is_update=True)
    metadata = _metadata(arguments) if arguments.has("metadata") else message.metadata
    edited = workspace.edit(message, workspace.version(text, blocks, metadata))
    return _answer(workspace, by, edited)


def delete(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Take an own message back."""
    channel = workspace.channel(arguments.required("channel"))
    message = workspace.standing(channel.id, arguments.required("ts"))
    if message.bot_id != by.bot_id:
        raise RefusedError("cant_delete_message")
    workspace.delete(message)
    return {"ok": True, "channel": channel.id, "ts": message.ts}


def get_permalink(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Link to a message that stands, in an archived channel too."""
    channel = workspace.channel(arguments.required("channel"))
    if channel.is_private and not channel.has_bot:
        raise RefusedError("channel_not_found")
    message = workspace.standing(channel.id, arguments.required("message_ts"))
    link = f"https://{workspace.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"ok": True, "channel": channel.id, "permalink": link}


def respond(workspace: Workspace, ticket: Ticket, arguments: Arguments) -> None:
    """Do what was posted to a response url, or answered to a command: ephemeral unless it says otherwise.

    Raises:
        RefusedError: as `chat.postMessage` refuses.
    """
    original = workspace.messages.get((ticket.channel, ticket.message_ts or ""))
    is_replaced = arguments.flag("replace_original")
    if is_replaced or arguments.flag("delete_original"):
        workspace.forget_ephemeral(ticket.message_ts)
    if arguments.flag("delete_original"):
        if original is not None:
            workspace.delete(original)
        return
    blocks = blocks_of(arguments.decoded("blocks"))
    text = arguments.text("text")
    check_message(text, blocks)
    if is_replaced and original is not None:
        workspace.edit(original, workspace.version(text, as_list(blocks), original.metadata))
    elif arguments.text("response_type") == "in_channel":
        workspace.post(
            channel=ticket.channel,
            text=cut(text),
            blocks=blocks,
            thread_ts=arguments.text("thread_ts") or None,
        )
    else:
        workspace.whisper(
            channel=ticket.channel,
            user=ticket.user,
            text=cut(text),
            blocks=blocks,
            thread_ts=arguments.text("thread_ts") or ticket.thread_ts,
        )


METHODS = (
    Method("chat.postMessage", WRITE, post_message),
    Method("chat.postEphemeral", WRITE, post_ephemeral),
    Method("chat.update", WRITE, update),
    Method("chat.delete", WRITE, delete),
    Method("chat.getPermalink", (), get_permalink),
)
