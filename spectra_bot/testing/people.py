"""Who and what is in the workspace: people, channels and installed apps."""

from dataclasses import dataclass

# The scopes that manifest.yaml asks for.
MANIFEST_SCOPES = frozenset({"chat:write", "commands"})


class NotPossibleError(AssertionError):
    """A test asked a person for something that Slack's own client would not let them do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone with an account. One whose `team_id` is another workspace's comes by Slack Connect."""

    id: str
    name: str
    team_id: str
    email: str = ""
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A conversation. `has_bot` says whether the app was invited."""

    id: str
    name: str
    is_private: bool = False
    is_archived: bool = False
    has_bot: bool = True
    im_user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An app in the workspace: its token, its bot and what it was granted."""

    token: str
    app_id: str
    bot_id: str
    bot_user_id: str
    scopes: frozenset[str] = MANIFEST_SCOPES
    history_limit: int = 999
    """As many messages a page of `conversations.history` holds; 15 for an app sold outside the Marketplace."""
