"""What a test sees of a fake Slack: what stands in it, and what was called."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from spectra_bot.testing.calls import Call, CallLog
from spectra_bot.testing.messages import Ephemeral, Message, OpenView, StoredFile
from spectra_bot.testing.socket_mode import SocketMode
from spectra_bot.testing.workspace import Workspace

Seen = TypeVar("Seen")


class SeenSlack:
    """The half of a fake Slack that changes nothing."""

    def __init__(self, *, workspace: Workspace, sockets: SocketMode) -> None:
        """Look at these, and at the calls that will be answered."""
        self.workspace = workspace
        self.sockets = sockets
        self._calls = CallLog()

    def messages(self, channel: str) -> list[Message]:
        """List what stands in a channel outside its threads, broadcast replies included."""
        return [
            message
            for message in self.workspace.standing_in(channel)
            if message.thread_ts in (None, message.ts) or message.is_broadcast
        ]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """List the replies that stand in a thread, without its first message."""
        return [message for message in self.workspace.standing_in(channel) if message.thread_ts == ts]

    def message(self, channel: str, ts: str) -> Message:
        """Return a message as it stands, with all its versions; a deleted one too.

        Raises:
            KeyError: there never was one.
        """
        return self.workspace.messages[channel, ts]

    def ephemerals(self, channel: str, user: str) -> list[Ephemeral]:
        """List what one person alone was shown in a channel, oldest first."""
        return [said for said in self.workspace.ephemerals if said.channel == channel and said.user == user]

    @property
    def views(self) -> Mapping[str, tuple[OpenView, ...]]:
        """The open modals by person, the visible one last."""
        return {user: stack for user, stack in self.workspace.views.stacks.items() if stack}

    def home(self, user: str) -> OpenView | None:
        """Return the home view a person was shown."""
        return self.workspace.views.homes.get(user)

    def file(self, file_id: str) -> StoredFile:
        """Return an uploaded file.

        Raises:
            KeyError: there is none with this id.
        """
        return self.workspace.files[file_id]

    def calls(self, method: str | None = None) -> list[Call]:
        """List the calls of a method, or all, in the order in which they were answered."""
        return [call for call in self._calls.calls if method in (None, call.method)]

    async def wait_for(self, predicate: Callable[[], Seen], *, timeout: float = 10.0) -> Seen:
        """Return the first true value of `predicate`, looked at after each call and delivery.

        Raises:
            NotSeenError: `timeout` real seconds are over; tells what was there instead.
        """
        return await self._calls.wait_for(predicate, timeout=timeout, account=self.account)

    async def connected(self, count: int = 1, *, timeout: float = 10.0) -> None:
        """Wait until this many Socket Mode connections take payloads.

        Raises:
            NotSeenError: `timeout` real seconds are over.
        """
        await self.wait_for(lambda: self.sockets.connections >= count, timeout=timeout)

    def account(self) -> str:
        """Tell in a few lines what was called and what stands."""
        calls = [f"call      {call}" for call in self._calls.calls]
        return "\n".join([*calls, self.workspace.account(), f"sockets   {self.sockets.connections}"])

    def _standing(self, source: Message | tuple[str, str] | Ephemeral | OpenView) -> Message | Ephemeral | OpenView:
        """Return something as it stands now."""
        match source:
            case Message():
                return self.message(source.channel, source.ts)
            case OpenView():
                return self.workspace.views.find(source.id) or source
            case Ephemeral():
                return source
            case (channel, ts):
                return self.message(channel, ts)

    def _wake(self) -> None:
        self._calls.wake()
