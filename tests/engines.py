"""The engines that a test runs on, and where its runs are; a new engine adds a parameter and no test."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from spectra_bot import IInterruptHandler, TemporalOptions, Workflow, WorkflowRunner, WorkflowRunnerBuilder
from tests.temporal_server import TemporalServer

ENGINES = ("embedded", "temporal")

Place = Path | TemporalOptions
"""Where runs are: a database file, or a task queue of a Temporal server."""


def a_place_on(server: TemporalServer) -> TemporalOptions:
    """A task queue that nobody else has."""
    return TemporalOptions(address=server.address, task_queue=f"spectra-{secrets.token_hex(6)}")


def a_runner(
    place: Place, workflows: Iterable[Workflow], handlers: Iterable[IInterruptHandler] = (), *, works: bool = True
) -> WorkflowRunner:
    """A runner whose runs are there.

    Args:
        works: it carries runs on; else others must.
    """
    if isinstance(place, TemporalOptions):
        return WorkflowRunner(workflows=workflows, temporal=place, handlers=handlers, recover=works)
    return WorkflowRunner(workflows=workflows, database=str(place), handlers=handlers, recover=works)


def built_on(builder: WorkflowRunnerBuilder, place: Place) -> WorkflowRunner:
    """The runner of a builder, with its runs there."""
    if isinstance(place, TemporalOptions):
        return builder.with_temporal(place.address, task_queue=place.task_queue).build()
    return builder.with_database(str(place)).build()
