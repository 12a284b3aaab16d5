"""What Slack sends to the app when a person does something, built as Slack builds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from spectra_bot.testing.controls import Control, Filled, filled, missing_inputs, state_of
from spectra_bot.testing.json_shapes import JsonObject, as_object, as_objects, as_text
from spectra_bot.testing.messages import Ephemeral, Message, OpenView
from spectra_bot.testing.people import Channel, NotPossibleError, Person
from spectra_bot.testing.tickets import Ticket
from spectra_bot.testing.workspace import Workspace

VERIFICATION_TOKEN = "deprecated-verification-token"  # noqa: S105 (Slack sends one; nobody may trust it)


class Kind(StrEnum):
    """The sorts of payloads, named as Socket Mode names them."""

    INTERACTIVE = "interactive"
    COMMAND = "slash_commands"
    EVENT = "events_api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One thing to deliver. `ticket` says where its answer goes; `view` is the submitted modal."""

    kind: Kind
    body: JsonObject
    ticket: Ticket | None = None
    view: OpenView | None = None

    @property
    def may_answer(self) -> bool:
        """Tell whether Slack reads the body of the ack."""
        return self.kind is Kind.COMMAND or self.view is not None


class PayloadBuilder:
    """Builds payloads of one workspace; `url_of` makes a response url a full url."""

    def __init__(self, workspace: Workspace, url_of: Callable[[str], str]) -> None:
        """Build for the workspace's own app."""
        self._workspace = workspace
        self._url_of = url_of

    def click(
        self,
        source: Message | Ephemeral | OpenView,
        control: Control,
        *,
        person: Person,
        choice: str | None = None,
        values: Mapping[str, Filled],
    ) -> Payload:
        """Press a button, or choose from a menu that acts at once."""
        kind = as_text(control.element.get("type"))
        if kind != "button" and choice is None:
            raise NotPossibleError(f"{control.action_id} is a {kind}: say which choice")
        action = self._action(control, choice)
        body: JsonObject = {"type": "block_actions", **self._frame(person), "actions": [action]}
        if isinstance(source, OpenView):
            state = state_of(as_objects(source.view.get("blocks")), values)
            body["container"] = {"type": "view", "view_id": source.id}
            body["view"] = {**source.view, "state": {"values": state}}
            body["trigger_id"] = self._workspace.issue_trigger(person.id, source.id)
            return Payload(kind=Kind.INTERACTIVE, body=body)
        ticket = self._ticket(source, person)
        channel = self._workspace.channel(source.channel)
        body["container"] = {
            "type": "message",
            "message_ts": source.ts,
            "channel_id": source.channel,
            "is_ephemeral": isinstance(source, Ephemeral),
            **({"thread_ts": source.thread_ts} if source.thread_ts else {}),
        }
        body["channel"] = {"id": channel.id, "name": _shown_name(channel)}
        if isinstance(source, Message):
            app = self._workspace.app
            body["message"] = source.payload(app_id=app.app_id, team_id=self._workspace.team_id)
        body["state"] = {"values": state_of(source.blocks, values)}
        body["response_url"] = self._response_url(ticket)
        body["trigger_id"] = self._workspace.issue_trigger(person.id)
        return Payload(kind=Kind.INTERACTIVE, body=body, ticket=ticket)

    def submit(self, view: OpenView, values: Mapping[str, Filled], *, person: Person) -> Payload:
        """Submit a modal.

        Raises:
            NotPossibleError: a required input is empty, or the modal has no submit button.
        """
        blocks = as_objects(view.view.get("blocks"))
        state = state_of(blocks, values)
        if missing := missing_inputs(blocks, state):
            raise NotPossibleError(f"required and empty: {', '.join(missing)}")
        if not view.view.get("submit"):
            raise NotPossibleError("this modal has no submit button")
        body: JsonObject = {
            "type": "view_submission",
            **self._frame(person),
            "trigger_id": self._workspace.issue_trigger(person.id, view.id),
            "view": {**view.view, "state": {"values": state}},
            "response_urls": [],
        }
        return Payload(kind=Kind.INTERACTIVE, body=body, view=view)

    def close(self, view: OpenView, *, person: Person) -> Payload:
        """Close a modal that asked to be told."""
        body: JsonObject = {
            "type": "view_closed",
            **self._frame(person),
            "view": view.view,
            "is_cleared": False,
        }
        return Payload(kind=Kind.INTERACTIVE, body=body)

    def command(self, command: str, text: str, *, person: Person, channel: Channel) -> Payload:
        """Type a slash command."""
        workspace = self._workspace
        ticket = Ticket(user=person.id, channel=channel.id, issued_at=workspace.now())
        body: JsonObject = {
            "token": VERIFICATION_TOKEN,
            "team_id": person.team_id,
            "team_domain": workspace.domain,
            "channel_id": channel.id,
            "channel_name": _shown_name(channel),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": workspace.app.app_id,
            "is_enterprise_install": "false",
            "response_url": self._response_url(ticket),
            "trigger_id": workspace.issue_trigger(person.id),
        }
        return Payload(kind=Kind.COMMAND, body=body, ticket=ticket)

    def event(self, event: JsonObject) -> Payload:
        """Wrap an event of the Events API."""
        workspace = self._workspace
        body: JsonObject = {
            "token": VERIFICATION_TOKEN,
            "team_id": workspace.team_id,
            "api_app_id": workspace.app.app_id,
            "event": {"event_ts": f"{workspace.now():.6f}", **event},
            "type": "event_callback",
            "event_id": workspace.fresh("Ev"),
            "event_time": int(workspace.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": workspace.team_id,
                    "user_id": workspace.app.bot_user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
        return Payload(kind=Kind.EVENT, body=body)

    def _frame(self, person: Person) -> JsonObject:
        workspace = self._workspace
        return {
            "user": {
                "id": person.id,
                "username": person.name,
                "name": person.name,
                "team_id": person.team_id,
            },
            "api_app_id": workspace.app.app_id,
            "token": VERIFICATION_TOKEN,
            "team": {"id": workspace.team_id, "domain": workspace.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _action(self, control: Control, choice: str | None) -> JsonObject:
        shown: dict[str, JsonValue] = {
            key: control.element[key]
            for key in ("type", "action_id", "text", "value", "style", "url", "confirm", "placeholder")
            if key in control.element
        }
        chosen = {} if as_text(shown.get("type")) == "button" else filled(control, choice)
        ts = f"{self._workspace.now():.6f}"
        return {**shown, **as_object(chosen), "block_id": control.block_id, "action_ts": ts}

    def _ticket(self, source: Message | Ephemeral, person: Person) -> Ticket:
        return Ticket(
            user=person.id,
            channel=source.channel,
            message_ts=source.ts,
            thread_ts=source.thread_ts,
            is_ephemeral=isinstance(source, Ephemeral),
            issued_at=self._workspace.now(),
        )

    def _response_url(self, ticket: Ticket) -> str:
        return self._url_of(f"/response/{self._workspace.issue_response_url(ticket)}")


def _shown_name(channel: Channel) -> str:
    # The app is told no name of a conversation it was not invited to.
    if channel.im_user is not None:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name
