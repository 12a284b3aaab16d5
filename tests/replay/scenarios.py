"""Every scenario by name: what a released version's histories must show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.replay import asked, survived, worked
from tests.replay.stage import Stage

Scenario = Callable[[Stage], Awaitable[None]]

EVENTS = 60
"""A history of so many events is long, for the scenarios that are about that."""


def _named(*groups: tuple[Scenario, ...]) -> dict[str, Scenario]:
    return {scenario.__name__.replace("_", "-"): scenario for group in groups for scenario in group}


SCENARIOS = _named(asked.SCENARIOS, worked.SCENARIOS, survived.SCENARIOS)
SCENARIOS_OF_SMALL_HISTORIES = _named(survived.SCENARIOS_OF_SMALL_HISTORIES)
