"""Mentions come from well-formed ids only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from handlers.slack.dates import date
from handlers.slack.people import identity, mention, mentions, slack_team, slack_user, with_mentions


def test_an_identity_of_slack_names_workspace_and_person() -> None:
    who = identity("T1", "U2")

    assert who == "slack:T1/U2"
    assert (slack_team(who), slack_user(who)) == ("T1", "U2")


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("slack:T1/U2", "<@U2>"),
        ("U2", "<@U2>"),
        ("W2", "<@W2>"),
        ("S123", "<!subteam^S123>"),
        ("cli:alice", "alice (command line)"),
        ("handler:auto", "auto (automatic)"),
        (None, "an unnamed caller"),
        ("slack:T1/U2> <!channel", "`slack:T1/U2&gt; &lt;!channel`"),
        ("<!channel>", "`&lt;!channel&gt;`"),
        ("cli:*root*", "`cli:*root*`"),
        ("channel", "`channel`"),
    ],
)
def test_a_person_is_mentioned_only_by_a_well_formed_id(who: str | None, shown: str) -> None:
    assert mention(who) == shown


def test_many_people_are_counted_past_a_limit() -> None:
    assert mentions(["U1", "U2", "U3"], 2) == "<@U1>, <@U2> and 1 more"


def test_a_moment_is_told_in_the_readers_zone_and_in_utc_where_that_fails() -> None:
    moment = datetime(2025, 11, 23, 14, 3, tzinfo=UTC)

    assert date(moment) == "<!date^1763906580^{date_short_pretty} at {time}|2025-11-23 14:03 UTC>"


def test_identities_in_a_plain_sentence_become_mentions() -> None:
    assert with_mentions("reject by slack:T1/U2: too risky") == "reject by <@U2>: too risky"
    assert with_mentions("no such host") == "no such host"
    assert with_mentions("slack:T1/U2 <!channel>") is None
    assert with_mentions("xslack:T1/U2x") == "xslack:T1/U2x"
    assert with_mentions("") is None
