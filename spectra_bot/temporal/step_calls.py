"""Has the code of steps executed, from inside a run's workflow: each execution is an activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from pydantic_core import to_json
from temporalio import exceptions as t
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from spectra_bot.engine.step_call import StepCall, call_of
from spectra_bot.errors import PayloadTooLargeError, PlaceError
from spectra_bot.json_values import refuse_too_large
from spectra_bot.machine import JudgeBack, JudgeWhen, RunStep
from spectra_bot.machine import events as e
from spectra_bot.temporal.limits import MAX_CALL_BYTES
from spectra_bot.temporal.messages import FOR_EVER, StepOutcome, entry_of
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.room import Room
from spectra_bot.temporal.times import Times

WORKER_STOPPED = "WorkerStopped"
"""The type of an activity's error when its worker was told to stop: it says nothing of the step."""
PUT_OFF = "PutOff"
"""The type of an activity's error that has its step run again after a pause, which it carries in seconds."""
PLACE_PAUSE_S = 5.0
"""After so long a step is executed again that could not be, because of the place of large payloads."""

StepCommand = RunStep | JudgeWhen | JudgeBack
_ACTIVITIES: Mapping[type, str] = {RunStep: "spectra.step", JudgeWhen: "spectra.when", JudgeBack: "spectra.back"}


class StepCalls:
    """The executions of one run's steps."""

    def __init__(self, record: Record, *, times: Times, lease_s: float, has_place: bool, room: Room) -> None:
        self.executing: set[str] = set()
        """The activities that execute steps, by id; one that was taken for dead is none of them."""
        self.put_off: dict[str, str] = {}
        """Why each step is not executed just now that could not be."""
        self._record = record
        self._times = times
        self._heartbeat = timedelta(seconds=lease_s)
        self._has_place = has_place
        self._room = room
        self._taken_over: set[tuple[str, int]] = set()
        """Step and visit of each execution whose worker was taken for dead."""
        self.activities = 0

    async def execute(self, command: StepCommand) -> StepOutcome:
        """What comes of an execution; nothing where it has to begin again."""
        call = call_of(self._record.state, command.step)
        call = replace(call, is_taken_over=(call.step, call.visit) in self._taken_over)
        self.activities += 1
        activity_id = f"{command.kind}-{self.activities}"
        self.executing.add(activity_id)
        try:
            if not self._has_place:
                refuse_too_large(f"all that {call.step} would be given", len(to_json(call)), MAX_CALL_BYTES)
            await self._room.take(call)
            outcome: StepOutcome = await workflow.execute_activity(
                _ACTIVITIES[type(command)],
                call,
                activity_id=activity_id,
                result_type=StepOutcome,
                start_to_close_timeout=FOR_EVER,
                heartbeat_timeout=self._heartbeat,
                retry_policy=RetryPolicy(maximum_attempts=1),  # whether it runs again is the machine's to say
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except PayloadTooLargeError as error:
            return self._failed(call, str(error))
        except ActivityError as error:
            await self._pause(call.step, error.cause)
            return self._broken_off(call, error.cause)
        finally:
            self.executing.discard(activity_id)
        return outcome

    async def _pause(self, step: str, cause: BaseException | None) -> None:
        """Wait where its activity could not execute the step, and said how long that may take to change."""
        if isinstance(cause, ApplicationError) and cause.type == PUT_OFF:
            why, pause = cause.message, cause.details[0]
        elif (of_the_place := _of_the_place(cause)) is not None:
            why, pause = of_the_place.message, PLACE_PAUSE_S
        else:
            return
        self.put_off[step] = why
        try:
            await workflow.sleep(pause)
        finally:
            del self.put_off[step]

    def _broken_off(self, call: StepCall, cause: BaseException | None) -> StepOutcome:
        """What it means for a step that its activity did not end by itself; the machine has it run again, mostly."""
        match cause:
            case t.TimeoutError():
                self._taken_over.add((call.step, call.visit))
                died = e.RunRecovered(at=self._times.now(), steps=[call.step])
                return StepOutcome(step=call.step, visit=call.visit, entries=[entry_of(died)])
            case t.CancelledError():
                return StepOutcome(step=call.step, visit=call.visit)
            case ApplicationError(type=kind) if kind in (WORKER_STOPPED, PUT_OFF) or _of_the_place(cause):
                return StepOutcome(step=call.step, visit=call.visit)
            case _:
                return self._failed(call, f"its activity failed: {cause}")

    def _failed(self, call: StepCall, error: str) -> StepOutcome:
        failed = e.StepFailed(at=self._times.now(), step=call.step, visit=call.visit, error=error)
        return StepOutcome(step=call.step, visit=call.visit, entries=[entry_of(failed)])


def _of_the_place(cause: BaseException | None) -> ApplicationError | None:
    """Why the place of large payloads could not be used, for what an activity was given or for what came of it."""
    while cause is not None:
        if isinstance(cause, ApplicationError) and cause.type == PlaceError.__name__:
            return cause
        cause = cause.__cause__
    return None
