"""Where the questions of a part of a step stand among all of the step's: under its scope, numbered by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from spectra_bot.context.question import Slot

NUMBER = "#"
"""What tells a part's third unkeyed question from one with the key `3`."""


def slot(scope: str, name: Slot) -> Slot:
    """The place of a question in its step, given its key or number in its part."""
    if not scope:
        return name
    return f"{scope}{name}" if isinstance(name, str) else f"{scope}{NUMBER}{name}"


def short(scope: str, place: Slot) -> Slot:
    """The key or number of a question in its part."""
    if not scope or isinstance(place, int):
        return place
    name = place.removeprefix(scope)
    return int(name.removeprefix(NUMBER)) if name.startswith(NUMBER) and name[1:].isdecimal() else name


def is_here(scope: str, place: Slot) -> bool:
    """A question was asked by this part of the step, or by a part of it."""
    return not scope or (isinstance(place, str) and place.startswith(scope))


def numbers(scope: str, places: Iterable[Slot]) -> list[int]:
    """The numbers of a part's unkeyed questions among all of the step's."""
    names = (short(scope, place) for place in places if is_here(scope, place))
    return [name for name in names if isinstance(name, int)]
