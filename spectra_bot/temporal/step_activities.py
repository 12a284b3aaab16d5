"""Users' code as activities: a step, a condition, a way back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from spectra_bot.clock import Clock
from spectra_bot.engine.execution import Execution
from spectra_bot.engine.ids import new_id
from spectra_bot.engine.step_call import StepCall
from spectra_bot.engine.time_limit import CLEAN_UP_S
from spectra_bot.machine import events as e
from spectra_bot.runs import RunUpdate
from spectra_bot.temporal.beats import Contact, beating
from spectra_bot.temporal.effects import StepEffects
from spectra_bot.temporal.messages import StepOutcome, entry_of
from spectra_bot.temporal.own_run import OwnRun
from spectra_bot.temporal.server_clock import began
from spectra_bot.temporal.step_calls import PUT_OFF, WORKER_STOPPED
from spectra_bot.workflow import Workflow

logger = logging.getLogger(__name__)

NOT_LOADED_S = 10.0
"""How long a step waits for another worker, where this one does not know its workflow."""
CANCELLED_S = 1.0
"""How long a step waits that cancelled itself."""
_NOT_LOADED = "the worker that took it has not loaded workflow {workflow}; start all with the same ones"


def interrupt_id(run_id: str, now: datetime) -> str:
    """An id by which the run of an interrupt is found without asking anybody."""
    return f"{new_id('i-', now)}.{run_id}"


def run_of(interrupt: str) -> str:
    """The run of an interrupt; empty if the id is none of ours."""
    return interrupt.partition(".")[2]


class StepActivities:
    """Executes the steps of the workflows that are loaded in this process.

    Args:
        contact: tells when the server was last there.
        handlers: the names of those who are asked, in this order.
        grouping: the names of those of them that deliver a group's questions together.
        report: told what happens to a step, for whoever listens in this process.
        ended: told the run of each execution that has ended here.
    """

    def __init__(
        self,
        workflows: Mapping[str, Workflow],
        *,
        client: Client,
        contact: Contact,
        clock: Clock,
        handlers: Sequence[str],
        grouping: Sequence[str],
        max_payload_bytes: int,
        report: Callable[[RunUpdate], None],
        ended: Callable[[str], None],
    ) -> None:
        self._executions = {
            name: Execution(workflow, clock=clock, max_payload_bytes=max_payload_bytes, interrupt_id=interrupt_id)
            for name, workflow in workflows.items()
        }
        self._missed: set[str] = set()
        """Workflows that are not loaded here, and have runs; each is told once."""
        self._client = client
        self._contact = contact
        self._clock = clock
        self._handlers = handlers
        self._grouping = grouping
        self._limit = max_payload_bytes
        self._report = report
        self._run_ended = ended

    @activity.defn(name="spectra.step")
    async def step(self, call: StepCall) -> StepOutcome:
        """Execute a step from its first line."""
        self._tell(call, "StepStarted", call.step)
        async with beating(self._contact) as pulse:
            effects = StepEffects(
                call,
                run=OwnRun(self._client, pulse),
                clock=self._clock,
                max_payload_bytes=self._limit,
                report=lambda *told: self._tell_progress(call, *told),
            )
            return await self._executed(call, self._execution(call).run_step(call, effects), effects)

    @activity.defn(name="spectra.when")
    async def when(self, call: StepCall) -> StepOutcome:
        """Evaluate a step's `when=`."""
        async with beating():
            return await self._executed(call, self._execution(call).judge_when(call))

    @activity.defn(name="spectra.back")
    async def back(self, call: StepCall) -> StepOutcome:
        """Evaluate the ways back of a completed step."""
        async with beating():
            return await self._executed(call, self._execution(call).judge_back(call))

    async def _executed(
        self, call: StepCall, work: Coroutine[Any, Any, Sequence[e.Event]], effects: StepEffects | None = None
    ) -> StepOutcome:
        """What comes of some work, which may clean up when it is cancelled; its effects are ended in any case."""
        began(self._clock)
        working = asyncio.create_task(work)
        try:
            await _ended_or_cancelled(working)
            events = () if working.cancelled() else working.result()
            outcome = StepOutcome(
                step=call.step,
                visit=call.visit,
                entries=[entry_of(event) for event in events],
                handlers=self._handlers,
                grouping=self._grouping,
            )
            if effects is not None and effects.under_way:
                await effects.run.left(outcome)
                await _effects_ended(effects)
                outcome = StepOutcome(step=call.step, visit=call.visit)
            if working.cancelled():
                raise stopped()
            for event in events:
                self._tell(call, e.kind_of(event), getattr(event, "step", None))
            return outcome
        finally:
            self._run_ended(call.run_id)

    def _execution(self, call: StepCall) -> Execution:
        execution = self._executions.get(call.workflow)
        if execution is None:
            if call.workflow not in self._missed:
                self._missed.add(call.workflow)
                logger.warning(
                    "workflow is not loaded here, so its runs wait for another worker; start all with the same ones",
                    extra={"run_id": call.run_id, "workflow": call.workflow},
                )
            raise _put_off(_NOT_LOADED.format(workflow=call.workflow), NOT_LOADED_S)
        return execution

    def _tell(self, call: StepCall, event: str, step: str | None) -> None:
        self._report(RunUpdate(run_id=call.run_id, event=event, step=step, at=self._clock.now()))

    def _tell_progress(self, call: StepCall, fraction: float | None, text: str, about: str | None) -> None:
        told = RunUpdate(
            run_id=call.run_id,
            event="StepProgress",
            step=call.step,
            fraction=fraction,
            text=text,
            about=about,
            at=self._clock.now(),
        )
        self._report(told)


async def _ended_or_cancelled(working: asyncio.Task[Any]) -> None:
    """Return when some work is done. Where we are cancelled it is cancelled too, and may clean up.

    A step that was stopped by people may take its time; one whose worker stops has a few seconds.
    """
    try:
        await asyncio.wait([working])
        return
    except asyncio.CancelledError:
        working.cancel()
    while not working.done():
        try:
            await asyncio.wait([working], timeout=CLEAN_UP_S if activity.is_worker_shutdown() else None)
        except asyncio.CancelledError:
            continue  # the worker stops, after the step was cancelled
        if activity.is_worker_shutdown() and not working.done():
            logger.warning("step did not stop in time", extra={"run_id": activity.info().workflow_id})
            raise stopped()


async def _effects_ended(effects: StepEffects) -> None:
    ending = asyncio.create_task(effects.ended())
    while not ending.done():
        try:
            await asyncio.wait([ending], timeout=CLEAN_UP_S if activity.is_worker_shutdown() else None)
        except asyncio.CancelledError:
            continue  # what has begun is ended
        if activity.is_worker_shutdown() and not ending.done():
            effects.cancel()


def _put_off(why: str, pause: float) -> ApplicationError:
    return ApplicationError(why, pause, type=PUT_OFF, category=ApplicationErrorCategory.BENIGN)


def stopped() -> BaseException:
    """How an activity ends that was cancelled: by its run, because its worker stops, or by itself."""
    if activity.is_worker_shutdown():
        return ApplicationError(
            "the worker was told to stop", type=WORKER_STOPPED, category=ApplicationErrorCategory.BENIGN
        )
    return asyncio.CancelledError() if activity.is_cancelled() else _put_off("it cancelled itself", CANCELLED_S)
