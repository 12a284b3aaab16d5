"""A Slack on loopback: the app talks to it as to Slack, and a test reads and moves it from inside."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Self

from aiohttp import web

from spectra_bot.testing.acks import apply_reply
from spectra_bot.testing.controls import Filled, find_control
from spectra_bot.testing.delivery import Ack, Retry, Signature, SignedHttp, Transport
from spectra_bot.testing.faults import FaultPlan
from spectra_bot.testing.json_shapes import JsonObject, as_objects
from spectra_bot.testing.messages import Ephemeral, Message, OpenView
from spectra_bot.testing.payloads import Payload, PayloadBuilder
from spectra_bot.testing.people import MANIFEST_SCOPES, Channel, Installation, NotPossibleError, Person
from spectra_bot.testing.seen_slack import SeenSlack
from spectra_bot.testing.server import LoopbackServer
from spectra_bot.testing.socket_mode import DisconnectReason, SocketMode
from spectra_bot.testing.web_api import WebApi
from spectra_bot.testing.workspace import Workspace

Mode = Literal["http", "socket"]

ACK_WITHIN_S = 3.0


class FakeSlack(SeenSlack):
    """One workspace with one app, served on 127.0.0.1 while the `async with` block lasts."""

    def __init__(
        self,
        *,
        mode: Mode = "http",
        app_url: str = "",
        signing_secret: str = "fake-signing-secret",  # noqa: S107 (a secret of loopback only)
        bot_token: str = "xoxb-fake",  # noqa: S107
        app_token: str = "xapp-fake",  # noqa: S107
        scopes: Iterable[str] = MANIFEST_SCOPES,
        channels: Iterable[Channel] = (Channel(id="C1", name="general"),),
        people: Iterable[str] = ("U1", "U2"),
        team_id: str = "T1",
        domain: str = "fake",
        ack_within_s: float = ACK_WITHIN_S,
        now: Callable[[], float] = time.time,
        signed_at: Callable[[], float] = time.time,
    ) -> None:
        """Set the workspace up; nothing is served before the block begins.

        Args:
            mode: how payloads reach the app: posted to `app_url`, or over its websockets.
            app_url: the app's request url, `http://127.0.0.1:.../slack/events`; may be set later.
            ack_within_s: real seconds that the app has for an ack.
            now: the clock of trigger ids, response urls and timestamps, in seconds since the epoch.
            signed_at: the clock of signatures, apart because the app judges them by its own.
        """
        self.app_url = app_url
        self.signing_secret = signing_secret
        self.bot_token = bot_token
        self.app_token = app_token
        self.team_id = team_id
        self.faults = FaultPlan()
        installation = Installation(
            token=bot_token, app_id="A1", bot_id="B1", bot_user_id="UBOT", scopes=frozenset(scopes)
        )
        super().__init__(
            workspace=Workspace(team_id=team_id, domain=domain, channels=channels, installation=installation, now=now),
            sockets=SocketMode(app_id=installation.app_id, within_s=ack_within_s, wake=self._wake),
        )
        for user in people:
            self.workspace.person(user)
        self._server = LoopbackServer()
        self._payloads = PayloadBuilder(self.workspace, self._server.url)
        self._api = WebApi(
            workspace=self.workspace,
            calls=self._calls,
            faults=self.faults,
            app_token=app_token,
            url_of=self._server.url,
            socket_url=self._socket_url,
        )
        http = SignedHttp(
            session=self._server.session,
            signing_secret=signing_secret,
            url=lambda: self.app_url,
            signed_at=signed_at,
            within_s=ack_within_s,
        )
        self._transport: Transport = http if mode == "http" else self.sockets

    async def __aenter__(self) -> Self:
        """Serve on a free port of loopback."""
        await self._server.start([*self._api.routes(), web.get("/link", self.sockets.serve)])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let held calls go, close the sockets and stop serving."""
        self.faults.clear()
        await self.sockets.close()
        await self._server.stop()

    # Where the app finds it

    @property
    def base_url(self) -> str:
        """The `base_url` of an AsyncWebClient."""
        return self._server.url("/api/")

    def _socket_url(self) -> str:
        ticket = self.workspace.fresh("ticket-")
        self.sockets.issue(ticket)
        return self._server.url(f"/link?ticket={ticket}", scheme="ws")

    # Who and what is there

    def add_person(self, user: str, *, name: str = "", team_id: str = "", email: str = "") -> Person:
        """Add someone, or describe them anew; another `team_id` makes them a guest by Slack Connect."""
        known = self.workspace.person(user)
        person = self.workspace.people[user] = Person(
            id=user, name=name or known.name, team_id=team_id or known.team_id, email=email or known.email
        )
        return person

    def add_channel(self, channel: Channel) -> Channel:
        """Add a channel, or describe it anew: archived, private, without the app."""
        self.workspace.channels[channel.id] = channel
        return channel

    def add_group(self, group: str, members: Iterable[str]) -> None:
        """Add a user group, or set its members."""
        self.workspace.groups[group] = tuple(members)

    def add_installation(self, installation: Installation) -> None:
        """Add another app with a token of its own, whose messages are not ours to edit."""
        self.workspace.installations[installation.token] = installation

    # What a person does

    async def click(
        self,
        source: Message | tuple[str, str] | Ephemeral | OpenView,
        control: str,
        *,
        user: str = "U1",
        team: str | None = None,
        version: int | None = None,
        choice: str | None = None,
        values: Mapping[str, Filled] | None = None,
        signature: Signature = Signature.GENUINE,
    ) -> Ack:
        """Press a button of a message or modal, as it stands now, and wait for the ack.

        A deleted message can be clicked too: its picture may still be on someone's screen.

        Args:
            source: a message, its (channel, ts), an ephemeral answer, or an open modal.
            control: an action id, else a value, else the text on it.
            team: the workspace the person belongs to, when it is another.
            version: which version of the message the person still sees, as an index of `versions`.
            choice: what to choose, when the control is a menu.
            values: what is filled in elsewhere on it, by block id or action id.

        Raises:
            NotPossibleError: there is no such control.
        """
        standing = self._standing(source)
        blocks = as_objects(standing.view.get("blocks")) if isinstance(standing, OpenView) else standing.blocks
        if version is not None:
            if not isinstance(standing, Message):
                raise NotPossibleError("only messages keep versions")
            blocks = standing.versions[version].blocks
        payload = self._payloads.click(
            standing,
            find_control(blocks, control),
            person=self.workspace.person(user, team),
            choice=choice,
            values=values or {},
        )
        return await self._deliver(payload, signature=signature)

    async def submit(
        self,
        view: OpenView,
        values: Mapping[str, Filled] | None = None,
        *,
        user: str | None = None,
        team: str | None = None,
        signature: Signature = Signature.GENUINE,
    ) -> Ack:
        """Submit an open modal with these values, by block id or action id, and wait for the ack.

        An ack without a body closes it; `errors`, `update`, `push` and `clear` do what Slack does.

        Raises:
            NotPossibleError: a required field is empty, or a value does not fit the form.
        """
        person = self.workspace.person(user or view.user, team)
        shown = self.workspace.views.find(view.id) or view
        return await self._deliver(self._payloads.submit(shown, values or {}, person=person), signature=signature)

    def remove(self, message: Message) -> None:
        """Delete a message, as an admin may with everybody's, and a retention policy does; the app is not told."""
        self.workspace.delete(message)
        self._wake()

    async def close(self, view: OpenView) -> Ack | None:
        """Close a modal; the app hears of it only if the view has `notify_on_close`."""
        self.workspace.views.close(view)
        self._wake()
        if not view.view.get("notify_on_close"):
            return None
        return await self._deliver(self._payloads.close(view, person=self.workspace.person(view.user)))

    async def command(
        self,
        command: str,
        text: str = "",
        *,
        user: str = "U1",
        channel: str = "C1",
        team: str | None = None,
        signature: Signature = Signature.GENUINE,
    ) -> Ack:
        """Type a slash command and wait for the ack; an answer in it is stored as an ephemeral."""
        person = self.workspace.person(user, team)
        where = self.workspace.channel(channel)
        payload = self._payloads.command(command, text, person=person, channel=where)
        return await self._deliver(payload, signature=signature)

    async def event(self, event: JsonObject, *, signature: Signature = Signature.GENUINE) -> Ack:
        """Deliver an event of the Events API, such as `app_home_opened`, and wait for the ack."""
        return await self._deliver(self._payloads.event(event), signature=signature)

    async def redeliver(self, ack: Ack, retry: Retry | None = None) -> Ack:
        """Deliver the very same payload once more, marked as a retry."""
        return await self._deliver(ack.payload, retry=retry or Retry())

    async def _deliver(
        self, payload: Payload, *, signature: Signature = Signature.GENUINE, retry: Retry | None = None
    ) -> Ack:
        reply = await self._transport.carry(payload, signature=signature, retry=retry)
        ack = apply_reply(self.workspace, payload, reply)
        self._wake()
        return ack

    # What the network does

    async def disconnect(self, reason: DisconnectReason = DisconnectReason.WARNING) -> None:
        """Tell every connection to reconnect; all but a warning close it at once."""
        await self.sockets.disconnect(reason)
