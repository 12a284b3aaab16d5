"""The engines that a test runs on, and where its runs are; a new engine adds a parameter and no test."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spectra_bot import IInterruptHandler, TemporalOptions, Workflow, WorkflowRunner, WorkflowRunnerBuilder
from spectra_bot.runs import Listener
from tests.temporal_server import TemporalServer

ENGINES = ("embedded", "temporal")

Place = Path | TemporalOptions
"""Where runs are: a database file, or a task queue of a Temporal server."""


def a_place_on(server: TemporalServer) -> TemporalOptions:
    """A task queue that nobody else has."""
    return TemporalOptions(address=server.address, task_queue=f"spectra-{secrets.token_hex(6)}")


def a_runner(
    place: Place,
    workflows: Iterable[Workflow],
    handlers: Iterable[IInterruptHandler] = (),
    *,
    listeners: Iterable[Listener] = (),
    works: bool = True,
) -> WorkflowRunner:
    """A runner whose runs are there.

    Args:
        works: it carries runs on; else others must.
    """
    where: dict[str, Any] = {"temporal": place} if isinstance(place, TemporalOptions) else {"database": str(place)}
    return WorkflowRunner(workflows=workflows, handlers=handlers, listeners=listeners, recover=works, **where)


def built_on(builder: WorkflowRunnerBuilder, place: Place) -> WorkflowRunner:
    """The runner of a builder, with its runs there."""
    if isinstance(place, TemporalOptions):
        return builder.with_temporal(place.address, task_queue=place.task_queue).build()
    return builder.with_database(str(place)).build()
