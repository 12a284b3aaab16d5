"""Identities and mentions: `slack:T1/U1` and `<@U1>`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from handlers.slack.escape import code, is_tame
from handlers.slack.layout import Mentioned

_IDENTITY = re.compile(r"\bslack:(?P<team>[TE][A-Z0-9]+)/(?P<user>[UW][A-Z0-9]+)\b")
_USER = re.compile(r"[UW][A-Z0-9]+")
_GROUP = re.compile(r"(?:slack:)?S[A-Z0-9]+")


def identity(team: str, user: str) -> str:
    """Who somebody is, from a payload that Slack signed."""
    return f"slack:{team}/{user}"


def slack_user(who: str | None) -> str | None:
    """The Slack user id in an identity, if it is one of Slack."""
    found = _IDENTITY.fullmatch(who or "")
    return found["user"] if found else None


def slack_team(who: str | None) -> str | None:
    """The Slack workspace in an identity, if it is one of Slack."""
    found = _IDENTITY.fullmatch(who or "")
    return found["team"] if found else None


def mention(who: str | None) -> str:
    """A person as Slack shows them: mentioned where the id is well-formed, else in words."""
    if not who:
        return "an unnamed caller"
    user = slack_user(who) or (who if _USER.fullmatch(who) else None)
    if user:
        return f"<@{user}>"
    if _GROUP.fullmatch(who):
        return f"<!subteam^{who.removeprefix('slack:')}>"
    surface, _, name = who.partition(":")
    match surface:
        case "cli" if is_tame(name):
            return f"{name} (command line)"
        case "handler" if is_tame(name):
            return f"{name} (automatic)"
        case _:
            return code(who, 80)


def with_mentions(text: str) -> str | None:
    """A text in which identities of Slack become mentions; None where the rest holds more than plain words."""
    pieces: list[str] = []
    end = 0
    for found in _IDENTITY.finditer(text):
        pieces += [text[end : found.start()], mention(found[0])]
        end = found.end()
    pieces.append(text[end:])
    is_plain = all(is_tame(piece.strip()) for piece in pieces[::2])
    return "".join(pieces) if is_plain and text.strip() else None


def pieces_with_mentions(text: str) -> list[str | Mentioned]:
    """A text of any kind in pieces, with identities of Slack as people; for where no markup is read."""
    pieces: list[str | Mentioned] = []
    end = 0
    for found in _IDENTITY.finditer(text):
        pieces += [text[end : found.start()], Mentioned(found["user"])]
        end = found.end()
    return [piece for piece in (*pieces, text[end:]) if piece]


def mentions(people: Iterable[str], limit: int = 20) -> str:
    """Several people, and how many more."""
    every = list(people)
    named = ", ".join(mention(who) for who in every[:limit])
    return f"{named} and {len(every) - limit} more" if len(every) > limit else named
