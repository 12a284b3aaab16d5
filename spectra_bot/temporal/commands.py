"""Carries out what a run asks for, from inside its workflow: code and handlers as activities, times as timers."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import JsonValue
from pydantic_core import to_json
from temporalio import exceptions as t
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from spectra_bot.engine.step_call import StepCall, call_of
from spectra_bot.engine.views import result_of
from spectra_bot.errors import PayloadTooLargeError
from spectra_bot.machine import (
    ArmTimer,
    Command,
    Conclude,
    Deliver,
    JudgeBack,
    JudgeWhen,
    Redeliver,
    RetryLater,
    RunStep,
    Settle,
    todo,
)
from spectra_bot.machine import events as e
from spectra_bot.store import Attempt, AttemptKey
from spectra_bot.temporal.messages import ConcludeCall, DeliverCall, Entry, SettleCall, StepOutcome, entry_of, event_of
from spectra_bot.temporal.record import Record

FOR_EVER = timedelta(days=3650)
"""How long an activity may take: a step has its own time limit, and a handler may ask for as long as it likes."""
FIRST_RETRY = timedelta(seconds=1)
MAX_RETRY = timedelta(seconds=300)
MAX_CALL_BYTES = 1_500_000
"""What a step may be given in all. Temporal refuses a payload of 2 MB, and would fail the whole workflow task."""
WORKER_STOPPED = "WorkerStopped"
"""The type of an activity's error when its worker was told to stop: it says nothing of the step."""
PUT_OFF = "PutOff"
"""The type of an activity's error that has its step run again after a pause, which it carries in seconds."""

STEP_COMMANDS = (RunStep, JudgeWhen, JudgeBack)
_STEP_ACTIVITIES: Mapping[type, str] = {RunStep: "spectra.step", JudgeWhen: "spectra.when", JudgeBack: "spectra.back"}


class Times(Protocol):
    """What a run knows of time."""

    def now(self) -> datetime:
        """Temporal's own clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds, whatever becomes of the worker meanwhile."""
        ...


class _Stopped(Exception):  # noqa: N818  it is no error
    """An activity of a handler was stopped."""


class RunCommands:
    """The tasks of a run: started when its state asks for a command, stopped when it no longer does.

    Args:
        store: takes in events, and reconciles.
        expire: records that an interrupt's time is over, if it is.
    """

    def __init__(
        self,
        record: Record,
        *,
        times: Times,
        lease_s: float,
        first_turn_s: float,
        handlers: dict[str, Sequence[str]],
        store: Callable[[Sequence[e.Event]], None],
        expire: Callable[[str], None],
    ) -> None:
        self.handlers = handlers
        self.left: set[Command] = set()
        """Steps whose code has ended, and of which effects are under way."""
        self.had_turns: set[tuple[str, str]] = set()
        """Interrupt and handler of each turn that is over, though the handler goes on."""
        self.first_turns: set[str] = set()
        """Interrupts whose handlers have all been asked once."""
        self._record = record
        self._times = times
        self._heartbeat = timedelta(seconds=lease_s)
        self._first_turn = timedelta(seconds=first_turn_s)
        self._store = store
        self._expire = expire
        self._running: dict[Command, asyncio.Task[None]] = {}
        self._ending: dict[asyncio.Task[None], Command] = {}
        self._under_way: dict[str, AttemptKey] = {}
        """What each activity of a handler is for, by its id."""
        self.drains = False
        """Nothing new is begun, so that the run can go on in a new execution soon."""
        self._inherited = frozenset(handlers)
        """Interrupts of an earlier execution; nobody knows whether their deliveries had begun."""
        self._activities = 0
        self.executing: set[str] = set()
        """The activities that execute steps, by id; one that was taken for dead is none of them."""
        self.broken: BaseException | None = None
        """What no code of ours should raise."""

    @property
    def is_busy(self) -> bool:
        """Something of the run is carried out, or cleans up."""
        return bool(self._running or self._ending)

    @property
    def can_be_renewed(self) -> bool:
        """Nothing is under way that a new execution of the run would not begin again by itself."""
        return not self._ending and not self.executing and not self._under_way

    def stop_asking(self) -> None:
        """Have handlers stop that are still asking; a new execution asks them again."""
        for command in [command for command in self._running if isinstance(command, Deliver | Redeliver)]:
            self._stop(command)

    @property
    def is_ending(self) -> bool:
        """A cancelled step still cleans up."""
        return any(isinstance(command, STEP_COMMANDS) and command not in self.left for command in self._ending.values())

    def handlers_asked(self) -> bool:
        """Every handler had its first turn with every pending interrupt."""
        return all(
            interrupt.request.id in self.first_turns or self._all_delivered(interrupt.request.id)
            for interrupt in self._record.state.pending()
        )

    def attempts(self, failing: Mapping[str, Attempt]) -> dict[AttemptKey, Attempt]:
        """What handlers fail at, given what Temporal says of each activity by its id."""
        return {self._under_way[key]: attempt for key, attempt in failing.items() if key in self._under_way}

    def reconcile(self) -> None:
        """Start what the state asks for, and stop what it no longer does."""
        wanted = todo(self._record.state)
        asked_for = set(wanted)
        for command in [command for command in self._running if command not in asked_for]:
            self._stop(command)
        for command in wanted:
            if command not in self._running and self._may_start(command) and not self._still_ends(command):
                task = asyncio.create_task(self._carry_out(command))
                task.add_done_callback(self._ended)
                self._running[command] = task

    def leave(self, outcome: StepOutcome) -> None:
        """A step's code has ended; its activity goes on until its effects are done, and must not be cancelled."""
        command = RunStep(outcome.step, outcome.visit)
        self.left.add(command)
        task = self._running.pop(command, None)
        if task is not None:
            self._ending[task] = command
            self.take(outcome)

    def take(self, outcome: StepOutcome) -> None:
        """Store what came of a step."""
        events = [event_of(entry) for entry in outcome.entries]
        for event in events:
            if isinstance(event, e.InterruptRaised):
                self.handlers[event.request.id] = outcome.handlers
        self._store(events)

    def _may_start(self, command: Command) -> bool:
        if self.drains and not isinstance(command, ArmTimer | RetryLater):
            return False
        if not isinstance(command, Deliver):
            return True
        return not self._all_delivered(command.interrupt_id)

    def _all_delivered(self, interrupt_id: str) -> bool:
        """Every handler has it, or has had it: what was lost is a command of its own."""
        interrupt = self._record.state.interrupts[interrupt_id]
        names = self.handlers.get(interrupt_id, ())
        return all(name in interrupt.deliveries or name in interrupt.lost for name in names)

    def _still_ends(self, command: Command) -> bool:
        """A cancelled task of this command still cleans up, or one of the same step."""
        if not isinstance(command, STEP_COMMANDS):
            return command in self._ending.values()
        return any(
            isinstance(ending, STEP_COMMANDS) and ending.step == command.step for ending in self._ending.values()
        )

    def _stop(self, command: Command) -> None:
        task = self._running.pop(command)
        task.cancel()
        if not isinstance(command, ArmTimer | RetryLater):
            self._ending[task] = command

    def _let_end(self, task: asyncio.Task[None], command: Command) -> None:
        """Stop a part of a command; what it has done until then is stored."""
        if not task.done():
            task.cancel()
            task.add_done_callback(self._ended)
            self._ending[task] = command

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_stopped = self._ending.pop(task, None)
        if was_stopped is not None:
            self.left.discard(was_stopped)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, _Stopped):
            self.broken = error
            return
        ended = [command for command, running in self._running.items() if running is task]
        if ended and task.cancelled():
            return  # not by us: the worker drops the run from its memory
        for command in ended:
            del self._running[command]
        self.reconcile()

    async def _carry_out(self, command: Command) -> None:
        match command:
            case RunStep() | JudgeWhen() | JudgeBack():
                outcome = await self._execute(command)
                # The result of a step that was stopped is dropped: the same command may have been given anew since.
                if self._running.get(command) is asyncio.current_task():
                    del self._running[command]
                    self.take(outcome)
            case Deliver(interrupt_id):
                await self._deliver(interrupt_id)
            case Redeliver(interrupt_id, handler):
                await self._hand_over(interrupt_id, handler)
            case Settle(interrupt_id, handler):
                await self._settle(interrupt_id, handler)
            case Conclude(interrupt_id, handler):
                await self._conclude(interrupt_id, handler)
            case ArmTimer(interrupt_id, deadline):
                await self._until(deadline)
                self._expire(interrupt_id)
            case RetryLater(step, visit, until, at_most):
                await self._times.sleep(min(until - self._times.now(), at_most).total_seconds())
                self._store([e.StepRetried(at=self._times.now(), step=step, visit=visit)])

    async def _until(self, deadline: datetime) -> None:
        is_due = False
        while not is_due:
            await self._times.sleep((deadline - self._times.now()).total_seconds())
            is_due = self._times.now() >= deadline

    # Steps.

    async def _execute(self, command: RunStep | JudgeWhen | JudgeBack) -> StepOutcome:
        call = call_of(self._record.state, command.step)
        self._activities += 1
        activity_id = f"{command.kind}-{self._activities}"
        self.executing.add(activity_id)
        try:
            _refuse_too_large(call)
            outcome: StepOutcome = await workflow.execute_activity(
                _STEP_ACTIVITIES[type(command)],
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

    # Handlers.

    async def _deliver(self, interrupt_id: str) -> None:
        """Give each handler its turn, in order, and let those go on that failed or are still at it."""
        turns: list[asyncio.Task[None]] = []
        try:
            for name in self.handlers.get(interrupt_id, ()):
                interrupt = self._record.state.interrupts[interrupt_id]
                if name in interrupt.deliveries or name in interrupt.lost:
                    continue
                turn = asyncio.create_task(self._hand_over(interrupt_id, name))
                turns.append(turn)
                await self._turn_over(turn, (interrupt_id, name))
            self.first_turns.add(interrupt_id)
            await asyncio.gather(*turns)
        except asyncio.CancelledError:
            for turn in turns:
                self._let_end(turn, Deliver(interrupt_id))
            raise

    async def _turn_over(self, turn: asyncio.Task[None], key: tuple[str, str]) -> None:
        try:
            await workflow.wait_condition(lambda: turn.done() or key in self.had_turns, timeout=self._first_turn)
        except builtins.TimeoutError:
            self.had_turns.add(key)

    async def _hand_over(self, interrupt_id: str, name: str) -> None:
        interrupt = self._record.state.interrupts[interrupt_id]
        loss = interrupt.lost.get(name)
        call = DeliverCall(
            handler=name,
            request=interrupt.request,
            is_again=loss is not None or interrupt_id in self._inherited,
            lost=dict(loss.receipt) if loss is not None else None,
        )
        told = await self._persist("deliver", (interrupt_id, name, "deliver"), call)
        self._store([event_of(entry) for entry in told])

    async def _settle(self, interrupt_id: str, name: str) -> None:
        interrupt = self._record.state.interrupts[interrupt_id]
        receipt = interrupt.deliveries[name].receipt
        call = SettleCall(handler=name, interrupt=interrupt, receipt=_as_dict(receipt))
        await self._persist("settle", (interrupt_id, name, "settle"), call)
        settled = e.InterruptSettled(
            at=self._times.now(), interrupt_id=interrupt_id, handler=name, superseded_by=interrupt.superseded_by
        )
        self._store([settled])

    async def _conclude(self, interrupt_id: str, name: str) -> None:
        interrupt = self._record.state.interrupts[interrupt_id]
        call = ConcludeCall(
            handler=name,
            result=result_of(self._record.state),
            request=interrupt.request,
            receipt=_as_dict(interrupt.deliveries[name].receipt),
        )
        await self._persist("conclude", (interrupt_id, name, "conclude"), call)
        self._store([e.RunConcluded(at=self._times.now(), handler=name)])

    async def _persist(self, what: str, key: AttemptKey, call: object) -> list[Entry]:
        """Have a handler do something, however many attempts it takes: Temporal counts and spaces them."""
        self._activities += 1
        activity_id = f"{what}-{self._activities}"
        self._under_way[activity_id] = key
        try:
            told: list[Entry] = await workflow.execute_activity(
                f"spectra.{what}",
                call,
                result_type=list[Entry],
                activity_id=activity_id,
                start_to_close_timeout=FOR_EVER,
                heartbeat_timeout=self._heartbeat,
                retry_policy=RetryPolicy(initial_interval=FIRST_RETRY, maximum_interval=MAX_RETRY),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            return told
        except ActivityError as error:
            raise _Stopped from error  # its attempts have no end
        finally:
            del self._under_way[activity_id]


def _as_dict(receipt: Mapping[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    return None if receipt is None else dict(receipt)


def _refuse_too_large(call: StepCall) -> None:
    size = len(to_json(call))
    if size > MAX_CALL_BYTES:
        raise PayloadTooLargeError(f"all that {call.step} would be given", size, MAX_CALL_BYTES)
