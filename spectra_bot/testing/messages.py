"""What stands in a channel, and every version it had."""

from dataclasses import dataclass, replace

from spectra_bot.testing.json_shapes import JsonObject, texts_in


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageVersion:
    """What a message said from `at` (seconds since the epoch) until the next version."""

    text: str
    blocks: tuple[JsonObject, ...] = ()
    metadata: JsonObject | None = None
    at: float

    @property
    def shown(self) -> str:
        """Every text of it, the top-level one first, a line each."""
        return "\n".join([self.text, *texts_in(list(self.blocks))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it stands, with its versions, oldest first. A deleted one keeps them."""

    channel: str
    ts: str
    bot_id: str
    bot_user_id: str
    thread_ts: str | None = None
    is_broadcast: bool = False
    is_deleted: bool = False
    files: tuple[str, ...] = ()
    versions: tuple[MessageVersion, ...]

    @property
    def text(self) -> str:
        """The top-level text: all that notifications and screen readers read."""
        return self.versions[-1].text

    @property
    def blocks(self) -> tuple[JsonObject, ...]:
        """The blocks as they stand, with the ids that Slack filled in."""
        return self.versions[-1].blocks

    @property
    def metadata(self) -> JsonObject | None:
        """The metadata as it stands."""
        return self.versions[-1].metadata

    @property
    def shown(self) -> str:
        """Every text of it, the top-level one first, a line each."""
        return self.versions[-1].shown

    def edit(self, version: MessageVersion) -> "Message":
        """Return the message with one more version."""
        return replace(self, versions=(*self.versions, version))

    def payload(self, *, app_id: str, team_id: str) -> JsonObject:
        """Build the message as Slack puts it into answers and interactions."""
        payload: JsonObject = {
            "type": "message",
            "user": self.bot_user_id,
            "bot_id": self.bot_id,
            "app_id": app_id,
            "team": team_id,
            "text": self.text,
            "ts": self.ts,
        }
        if self.thread_ts is not None:
            payload["thread_ts"] = self.thread_ts
        if self.blocks:
            payload["blocks"] = list(self.blocks)
        if self.metadata is not None:
            payload["metadata"] = self.metadata
        if len(self.versions) > 1:
            payload["edited"] = {"user": self.bot_user_id, "ts": f"{self.versions[-1].at:.6f}"}
        return payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """An answer that one person sees. `ts` names it, but no method can edit it."""

    channel: str
    user: str
    ts: str
    text: str
    blocks: tuple[JsonObject, ...] = ()
    thread_ts: str | None = None

    @property
    def shown(self) -> str:
        """Every text of it, the top-level one first, a line each."""
        return "\n".join([self.text, *texts_in(list(self.blocks))])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenView:
    """A modal on a person's screen, or their home view, as Slack keeps it."""

    id: str
    user: str
    hash: str
    root_id: str
    previous_id: str | None
    view: JsonObject

    @property
    def shown(self) -> str:
        """Every text of it, a line each."""
        return "\n".join(texts_in(self.view))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """An uploaded file. It is `is_shared` once its upload was completed."""

    id: str
    name: str
    length: int
    content: bytes | None = None
    title: str = ""
    is_shared: bool = False
