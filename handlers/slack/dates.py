"""Moments in the reader's own time zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

DAY_AND_TIME = "{date_short_pretty} at {time}"


def date(moment: datetime, form: str = DAY_AND_TIME) -> str:
    """Slack's mark-up for a moment; clients that can't draw it show UTC.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    return f"<!date^{int(moment.timestamp())}^{form}|{in_utc(moment)}>"


def in_utc(moment: datetime) -> str:
    """The moment for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
