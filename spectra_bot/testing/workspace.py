"""The state of the fake workspace: what was posted, opened and uploaded, and by whom."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count

from pydantic import JsonValue

from spectra_bot.testing.controls import with_ids
from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.messages import Ephemeral, Message, MessageVersion, StoredFile
from spectra_bot.testing.people import Channel, Installation, Person
from spectra_bot.testing.refusals import RefusedError
from spectra_bot.testing.tickets import Ticket, TicketBook
from spectra_bot.testing.view_book import ViewBook


class Workspace:
    """One workspace in memory. Every change is one call without an await, so none is seen half done."""

    def __init__(
        self,
        *,
        team_id: str,
        domain: str,
        channels: Iterable[Channel],
        installation: Installation,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start with the channels and one installed app; `now` is in seconds since the epoch."""
        self.team_id = team_id
        self.domain = domain
        self.app = installation
        self.now = now
        self.channels = {channel.id: channel for channel in channels}
        self.people: dict[str, Person] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.installations = {installation.token: installation}
        self.messages: dict[tuple[str, str], Message] = {}
        self.ephemerals: list[Ephemeral] = []
        self.files: dict[str, StoredFile] = {}
        self.tickets = TicketBook(now)
        self._numbers = count(1)
        self.views = ViewBook(team_id=team_id, app=installation, fresh=self.fresh, now=now)

    def fresh(self, prefix: str) -> str:
        """Make an id that no other call returns."""
        return f"{prefix}{next(self._numbers):05d}"

    def fresh_ts(self) -> str:
        """Make a message timestamp; a later one is always greater."""
        return f"{int(self.now())}.{next(self._numbers):06d}"

    def person(self, user: str, team_id: str | None = None) -> Person:
        """Return the person with this id, who is added if the workspace did not know them."""
        known = self.people.setdefault(
            user,
            Person(id=user, name=user.lower(), team_id=self.team_id, email=f"{user.lower()}@example.com"),
        )
        return known if team_id is None else replace(known, team_id=team_id)

    def channel(self, name: str) -> Channel:
        """Find a channel by id or `#name`.

        Raises:
            RefusedError: `channel_not_found`.
        """
        if name in self.channels:
            return self.channels[name]
        for channel in self.channels.values():
            if f"#{channel.name}" == name:
                return channel
        raise RefusedError("channel_not_found")

    def direct_channel(self, user: str) -> Channel:
        """Return the direct message channel with a person, opened if there was none.

        Raises:
            RefusedError: `user_not_found`.
        """
        if user not in self.people:
            raise RefusedError("user_not_found")
        for channel in self.channels.values():
            if channel.im_user == user:
                return channel
        opened = Channel(id=self.fresh("D"), name="directmessage", im_user=user)
        self.channels[opened.id] = opened
        return opened

    def post(
        self,
        *,
        channel: str,
        text: str,
        blocks: Iterable[JsonValue] = (),
        by: Installation | None = None,
        thread_ts: str | None = None,
        metadata: JsonObject | None = None,
        is_broadcast: bool = False,
        files: tuple[str, ...] = (),
    ) -> Message:
        """Store a message; a reply to a reply belongs to the thread's first message."""
        author = by or self.app
        parent = self.messages.get((channel, thread_ts)) if thread_ts else None
        message = Message(
            channel=channel,
            ts=self.fresh_ts(),
            bot_id=author.bot_id,
            bot_user_id=author.bot_user_id,
            thread_ts=(parent.thread_ts if parent else None) or thread_ts,
            is_broadcast=is_broadcast,
            files=files,
            versions=(self.version(text, blocks, metadata),),
        )
        self.messages[channel, message.ts] = message
        return message

    def version(self, text: str, blocks: Iterable[JsonValue], metadata: JsonObject | None) -> MessageVersion:
        """Build a version of a message as Slack stores it, with ids where the app gave none."""
        return MessageVersion(
            text=text,
            blocks=with_ids(blocks, lambda: self.fresh("id")),
            metadata=metadata,
            at=self.now(),
        )

    def standing(self, channel: str, ts: str) -> Message:
        """Find a message that was not deleted.

        Raises:
            RefusedError: `message_not_found`.
        """
        message = self.messages.get((channel, ts))
        if message is None or message.is_deleted:
            raise RefusedError("message_not_found")
        return message

    def edit(self, message: Message, version: MessageVersion) -> Message:
        """Give a message one more version."""
        edited = self.messages[message.channel, message.ts] = message.edit(version)
        return edited

    def delete(self, message: Message) -> None:
        """Take a message away; its versions stay readable for assertions."""
        self.messages[message.channel, message.ts] = replace(message, is_deleted=True)

    def whisper(
        self, *, channel: str, user: str, text: str, blocks: Iterable[JsonValue], thread_ts: str | None
    ) -> Ephemeral:
        """Store an ephemeral message for one person."""
        said = Ephemeral(
            channel=channel,
            user=user,
            ts=self.fresh_ts(),
            text=text,
            blocks=with_ids(blocks, lambda: self.fresh("id")),
            thread_ts=thread_ts,
        )
        self.ephemerals.append(said)
        return said

    def forget_ephemeral(self, ts: str | None) -> None:
        """Take an ephemeral message off the screen, if there is one with this timestamp."""
        self.ephemerals = [said for said in self.ephemerals if said.ts != ts]

    def standing_in(self, channel: str) -> list[Message]:
        """List what stands in a channel and its threads, oldest first."""
        found = [message for message in self.messages.values() if message.channel == channel and not message.is_deleted]
        return sorted(found, key=lambda message: message.ts)

    def account(self) -> str:
        """Tell in a line each what was said and what is open."""
        lines = []
        for message in self.messages.values():
            state = "deleted" if message.is_deleted else f"{len(message.versions)} versions"
            lines.append(f"message   {message.channel} {message.ts} ({state}) {message.text!r}")
        lines += [f"ephemeral {said.channel} {said.user} {said.text!r}" for said in self.ephemerals]
        lines += [f"modal     {user} {view.shown!r}" for user, stack in self.views.stacks.items() for view in stack]
        return "\n".join(lines)

    def issue_response_url(self, ticket: Ticket) -> str:
        """Hand out a response url and return its secret part."""
        key = self.fresh(f"{self.team_id}/")
        self.tickets.issue_response_url(key, ticket)
        return key

    def issue_trigger(self, user: str, view_id: str | None = None) -> str:
        """Hand out a trigger id."""
        trigger_id = f"{self.fresh('')}.{self.team_id}.{self.fresh('')}"
        self.tickets.issue_trigger(trigger_id, user=user, view_id=view_id)
        return trigger_id
