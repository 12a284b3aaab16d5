"""Has the code of steps executed, from inside a run's workflow: each execution is an activity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic_core import to_json
from temporalio import exceptions as t
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from spectra_bot.engine.step_call import StepCall, call_of
from spectra_bot.errors import PayloadTooLargeError
from spectra_bot.machine import JudgeBack, JudgeWhen, RunStep
from spectra_bot.machine import events as e
from spectra_bot.temporal.messages import FOR_EVER, StepOutcome, entry_of
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.times import Times

MAX_CALL_BYTES = 1_500_000
"""What a step may be given in all. Temporal refuses a payload of 2 MB, and would fail the whole workflow task."""
WORKER_STOPPED = "WorkerStopped"
"""The type of an activity's error when its worker was told to stop: it says nothing of the step."""
PUT_OFF = "PutOff"
"""The type of an activity's error that has its step run again after a pause, which it carries in seconds."""

StepCommand = RunStep | JudgeWhen | JudgeBack
_ACTIVITIES: Mapping[type, str] = {RunStep: "spectra.step", JudgeWhen: "spectra.when", JudgeBack: "spectra.back"}


class StepCalls:
    """The executions of one run's steps."""

    def __init__(self, record: Record, *, times: Times, lease_s: float) -> None:
        self.executing: set[str] = set()
        """The activities that execute steps, by id; one that was taken for dead is none of them."""
        self._record = record
        self._times = times
        self._heartbeat = timedelta(seconds=lease_s)
        self._activities = 0

    async def execute(self, command: StepCommand) -> StepOutcome:
        """What comes of an execution; nothing where it has to begin again."""
        call = call_of(self._record.state, command.step)
        self._activities += 1
        activity_id = f"{command.kind}-{self._activities}"
        self.executing.add(activity_id)
        try:
            _refuse_too_large(call)
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
            if isinstance(error.cause, ApplicationError) and error.cause.type == PUT_OFF:
                await workflow.sleep(error.cause.details[0])
            return self._broken_off(call, error.cause)
        finally:
            self.executing.discard(activity_id)
        return outcome

    def _broken_off(self, call: StepCall, cause: BaseException | None) -> StepOutcome:
        """What it means for a step that its activity did not end by itself; the machine has it run again, mostly."""
        match cause:
            case t.TimeoutError():
                died = e.RunRecovered(at=self._times.now(), steps=[call.step])
                return StepOutcome(step=call.step, visit=call.visit, entries=[entry_of(died)])
            case t.CancelledError():
                return StepOutcome(step=call.step, visit=call.visit)
            case ApplicationError(type=kind) if kind in (WORKER_STOPPED, PUT_OFF):
                return StepOutcome(step=call.step, visit=call.visit)
            case _:
                return self._failed(call, f"its activity failed: {cause}")

    def _failed(self, call: StepCall, error: str) -> StepOutcome:
        failed = e.StepFailed(at=self._times.now(), step=call.step, visit=call.visit, error=error)
        return StepOutcome(step=call.step, visit=call.visit, entries=[entry_of(failed)])


def _refuse_too_large(call: StepCall) -> None:
    size = len(to_json(call))
    if size > MAX_CALL_BYTES:
        raise PayloadTooLargeError(f"all that {call.step} would be given", size, MAX_CALL_BYTES)
