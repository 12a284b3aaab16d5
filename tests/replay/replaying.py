"""Carries a history out again with today's code, as a worker does that takes a run over."""

from __future__ import annotations

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.reconciling import SpectraReconciler
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.turns import TurnRunner


async def replay(history: WorkflowHistory, *, run: type[SpectraRun] = SpectraRun) -> None:
    """Return if today's workflow gives the commands that the history shows.

    Raises:
        Exception: it does not, so that a run in flight would stand still with it.
    """
    replayer = Replayer(
        workflows=[run, SpectraReconciler], workflow_runner=TurnRunner(), data_converter=data_converter(None)
    )
    await replayer.replay_workflow(history)
