"""What Slack delivers, read into values of our own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from handlers.slack.buttons import PressedButton, read_button
from handlers.slack.messages import Place
from handlers.slack.modals import FormPlace
from handlers.slack.people import identity

Payload = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who did something, as Slack signed it."""

    team: str
    user: str

    @property
    def identity(self) -> str:
        """As the judge knows them."""
        return identity(self.team, self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A pressed button of a question."""

    person: Person
    button: PressedButton | None
    """None where its value is none of ours."""
    label: str
    """What stands on the button."""
    place: Place | None
    response_url: str = field(repr=False)
    trigger_id: str = field(repr=False)

    @classmethod
    def read(cls, body: Payload) -> Click:
        """The click in a `block_actions` payload."""
        channel = text_at(body, "channel", "id") or text_at(body, "container", "channel_id")
        ts = text_at(body, "message", "ts") or text_at(body, "container", "message_ts")
        actions = body.get("actions")
        action = actions[0] if isinstance(actions, list) and actions else None
        return cls(
            person=person_in(body),
            button=read_button(action.get("value") if isinstance(action, dict) else None),
            label=text_at(action if isinstance(action, dict) else {}, "text", "text").removesuffix("…") or "this",
            place=Place.of({"channel": channel, "ts": ts}),
            response_url=text_at(body, "response_url"),
            trigger_id=text_at(body, "trigger_id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A filled-in form."""

    person: Person
    form: FormPlace | None
    """None where the modal is none of ours."""
    label: str
    """What stands on the button that sends it."""
    values: JsonValue = field(repr=False)

    @classmethod
    def read(cls, body: Payload) -> Submission:
        """The form in a `view_submission` payload."""
        view = body.get("view")
        state = view.get("state") if isinstance(view, dict) else None
        return cls(
            person=person_in(body),
            form=FormPlace.read(text_at(body, "view", "private_metadata")),
            label=text_at(body, "view", "submit", "text") or "this",
            values=state.get("values") if isinstance(state, dict) else None,
        )

    @property
    def place(self) -> Place | None:
        """The message that the form was opened from."""
        return Place.of({"channel": self.form.channel, "ts": self.form.ts}) if self.form else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCommand:
    """A slash command."""

    person: Person
    command: str
    text: str
    channel: str
    response_url: str = field(repr=False)

    @classmethod
    def read(cls, body: Payload) -> TypedCommand:
        """The command in its payload; Slack escapes what was typed."""
        text = text_at(body, "text")
        for mark, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            text = text.replace(mark, character)
        return cls(
            person=Person(team=text_at(body, "team_id"), user=text_at(body, "user_id")),
            command=text_at(body, "command"),
            text=text,
            channel=text_at(body, "channel_id"),
            response_url=text_at(body, "response_url"),
        )


def person_in(body: Payload) -> Person:
    """Who clicked or submitted; without a workspace where Slack named none of theirs."""
    # `team` names where it happened, not whose they are: those differ where a channel is shared by Slack Connect. So it
    # never stands in for `user.team_id`, which Slack sends with both payloads:
    # https://docs.slack.dev/reference/interaction-payloads/block_actions-payload (bolt-js types it as optional).
    # What lacks it, the interactive messages and dialogs of before Block Kit, this bot does not hear.
    return Person(team=text_at(body, "user", "team_id"), user=text_at(body, "user", "id"))


def is_well_formed(body: Payload) -> bool:
    """What is read of a payload has the types that Slack gives it; a kind that nobody hears may hold anything.

    A person without a workspace is well-formed: the doorkeeper tells them.
    """
    match body.get("type"):
        case "block_actions":
            actions = body.get("actions")
            is_clicked = isinstance(actions, list) and bool(actions)
            return (
                is_clicked
                and all(_has(action, str, "action_id") for action in _items(actions))
                and _has_person(body)
                and all(_may_have(body, dict, name) for name in ("channel", "container", "message", "team", "view"))
                and all(_may_have(body, str, name) for name in ("response_url", "trigger_id"))
            )
        case "view_submission" | "view_closed":
            view = body.get("view")
            state = view.get("state") if isinstance(view, dict) else None
            return (
                _has_person(body)
                and _has(view, str, "type", "callback_id")
                and _may_have(view, str, "private_metadata")
                and _may_have(view, dict, "state")
                and (state is None or _may_have(state, dict, "values"))
            )
        case "event_callback":
            return _has(body.get("event"), str, "type")
        case None:
            return all(body.get(name) for name in ("command", "user_id", "channel_id"))
        case kind:
            return isinstance(kind, str)


def _has_person(body: Payload) -> bool:
    user = body.get("user")
    return _has(user, str, "id") and bool(text_at(body, "user", "id")) and _may_have(user, str, "team_id")


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _has(value: JsonValue, kind: type, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name in names)


def _may_have(value: JsonValue | Payload, kind: type, name: str) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(name), kind | type(None))


def text_at(body: Payload, *path: str) -> str:
    """The text at a path of names; empty where there is none."""
    value: JsonValue = dict(body)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
