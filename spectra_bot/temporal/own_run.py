"""The run that a step belongs to, as its activity speaks to it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from spectra_bot.engine.step_call import StepCall
from spectra_bot.errors import LeaseLostError, PlaceError, StoreError
from spectra_bot.machine import events as e
from spectra_bot.temporal.beats import Pulse
from spectra_bot.temporal.calls import CALL_S
from spectra_bot.temporal.messages import KeptEffect, StepOutcome, entry_of
from spectra_bot.temporal.turns import answer_of

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
MAX_RETRY_S = 5.0


class OwnRun:
    """One execution of a run in Temporal, seen from one of its activities."""

    def __init__(self, client: Client, pulse: Pulse) -> None:
        info = activity.info()
        assert info.workflow_id is not None, "only workflows call it"  # noqa: S101
        self._activity_id = info.activity_id
        self._pulse = pulse
        self._run_id = info.workflow_id
        self._run: WorkflowHandle[Any, Any] = client.get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)

    async def is_ours(self) -> bool:
        """This activity still counts: its worker was never silent for long, or the run itself says so."""
        if self._pulse.is_fresh:
            return True
        executes: bool | None = await self._asked("executes", self._activity_id, result_type=bool)
        return executes is True

    async def kept(self, call: StepCall, key: str) -> KeptEffect | None:
        """What the run has stored of an effect; None while it has nothing, or where the step is cancelled."""
        kept: KeptEffect | None = await self._asked("effect", call.step, call.visit, key, result_type=KeptEffect | None)
        return kept

    async def keep(self, event: e.Event) -> None:
        """Return when what a step did is part of the run's history in Temporal.

        Raises:
            LeaseLostError: this execution of the run is over.
            StoreError: Temporal will never take it.
        """
        await self._signal("happened", entry_of(event))

    async def left(self, outcome: StepOutcome) -> None:
        """Tell that a step's code has ended, while effects of it are under way. Raises what `keep` does."""
        await self._signal("left", replace(outcome, activity=self._activity_id))

    async def _asked(self, query: str, *args: object, result_type: Any) -> Any:
        """What the run says, however long that takes; None where the step is cancelled before."""
        while not activity.is_cancelled():
            try:
                return await answer_of(self._run, query, args, result_type=result_type, within_s=CALL_S)
            except (RPCError, WorkflowQueryFailedError):
                logger.warning("run could not be asked", extra={"run_id": self._run_id}, exc_info=True)
                await asyncio.sleep(FIRST_RETRY_S)
        return None

    async def _signal(self, name: str, arg: object) -> None:
        pause_s = FIRST_RETRY_S
        while True:
            try:
                return await self._run.signal(name, arg)
            except (RPCError, PlaceError) as error:
                if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                    raise LeaseLostError(self._run_id) from error
                if isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT:
                    raise StoreError(
                        f"Temporal does not take what this step did last: {error.message}; have it do less, and the "
                        "rest in steps behind it"
                    ) from error
                logger.warning("change was not stored", extra={"run_id": self._run_id}, exc_info=True)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_RETRY_S)
