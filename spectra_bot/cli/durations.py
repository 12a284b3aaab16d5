"""Durations as they are typed: `90d`, `12h`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_duration(_ctx: click.Context, _option: click.Parameter, text: str) -> timedelta:
    """A whole number and a unit.

    Raises:
        click.BadParameter: says how a duration is typed.
    """
    match = re.fullmatch(r"([0-9]+)([smhdw])", text.strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration: a number and a unit are needed, such as 90d, 12h or 2w")
    number, unit = match.groups()
    try:
        return timedelta(**{_UNITS[unit]: int(number)})
    except (OverflowError, ValueError) as error:
        raise click.BadParameter(f"{text!r} is longer than time is counted here") from error
