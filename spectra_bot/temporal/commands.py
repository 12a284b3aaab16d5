"""Carries out what a run asks for, from inside its workflow: code and handlers as activities, times as timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from temporalio import workflow

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
from spectra_bot.temporal.handler_calls import HandlerCalls, Stopped
from spectra_bot.temporal.messages import RunInput, StepOutcome, event_of
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.room import Room
from spectra_bot.temporal.step_calls import StepCalls
from spectra_bot.temporal.times import Times

STEP_COMMANDS = (RunStep, JudgeWhen, JudgeBack)


class RunCommands:
    """The tasks of a run: started when its state asks for a command, stopped when it no longer does.

    Args:
        store: takes in events, and reconciles.
        expire: records that an interrupt's time was over at a moment, unless it was answered.
    """

    def __init__(
        self,
        record: Record,
        *,
        times: Times,
        given: RunInput,
        store: Callable[[Sequence[e.Event]], None],
        expire: Callable[[str, datetime], None],
    ) -> None:
        self.drains = False
        """Nothing new is begun, so that the run can go on in a new execution soon."""
        self.broken: BaseException | None = None
        """What no code of ours should raise."""
        self.room = Room(has_place=given.has_place)
        self.steps = StepCalls(record, times=times, lease_s=given.lease_s, has_place=given.has_place, room=self.room)
        self.handlers = HandlerCalls(
            record,
            times=times,
            lease_s=given.lease_s,
            first_turn_s=given.first_turn_s,
            names=given.handlers,
            room=self.room,
            store=store,
            let_end=self._let_end,
        )
        self._record = record
        self._times = times
        self._store = store
        self._expire = expire
        self._running: dict[Command, asyncio.Task[None]] = {}
        self._ending: dict[asyncio.Task[None], Command] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._left: set[Command] = set()
        """Steps whose code has ended, and of which effects are under way."""

    @property
    def is_busy(self) -> bool:
        """Something of the run is carried out, or cleans up."""
        return bool(self._running or self._ending)

    @property
    def can_be_renewed(self) -> bool:
        """Nothing is under way that a new execution of the run would not begin again by itself."""
        return not self._ending and not self.steps.executing and not self.handlers.is_busy

    def stop_asking(self) -> None:
        """Have handlers stop that are still asking; a new execution asks them again."""
        for command in [command for command in self._running if isinstance(command, Deliver | Redeliver)]:
            self._stop(command)

    @property
    def is_ending(self) -> bool:
        """A cancelled step still cleans up."""
        return any(
            isinstance(command, STEP_COMMANDS) and command not in self._left for command in self._ending.values()
        )

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
        if outcome.activity and outcome.activity not in self.steps.executing:
            return  # its worker was taken for dead, and what the step does elsewhere goes on
        command = RunStep(outcome.step, outcome.visit)
        self._left.add(command)
        task = self._running.pop(command, None)
        if task is not None:
            self._ending[task] = command
            self.take(outcome)

    def take(self, outcome: StepOutcome) -> None:
        """Store what came of a step."""
        events = [event_of(entry) for entry in outcome.entries]
        for event in events:
            if isinstance(event, e.InterruptRaised):
                self.handlers.names[event.request.id] = outcome.handlers
                self.handlers.grouping.update(outcome.grouping)
        self._store(events)

    def _may_start(self, command: Command) -> bool:
        if self.drains and not isinstance(command, ArmTimer | RetryLater):
            return False
        if not isinstance(command, Deliver):
            return True
        return not self.handlers.all_delivered(command.interrupt_id)

    def _still_ends(self, command: Command) -> bool:
        """A cancelled task of this command still cleans up, or one of the same step."""
        if not isinstance(command, STEP_COMMANDS):
            return command in self._ending.values()
        return any(
            isinstance(ending, STEP_COMMANDS) and ending.step == command.step for ending in self._ending.values()
        )

    def _stop(self, command: Command) -> None:
        task = self._running.pop(command)
        if isinstance(command, ArmTimer | RetryLater):
            task.cancel()
            return
        self._ending[task] = command
        stopping = asyncio.create_task(_cancel_later(task))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    def _let_end(self, task: asyncio.Task[None], interrupt_id: str) -> None:
        """Stop a part of a delivery; what it has done until then is stored."""
        if not task.done():
            task.cancel()
            task.add_done_callback(self._ended)
            self._ending[task] = Deliver(interrupt_id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_stopped = self._ending.pop(task, None)
        if was_stopped is not None:
            self._left.discard(was_stopped)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, Stopped):
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
                outcome = await self.steps.execute(command)
                # The result of a step that was stopped is dropped: the same command may have been given anew since.
                if self._running.get(command) is asyncio.current_task():
                    del self._running[command]
                    self.take(outcome)
            case Deliver(interrupt_id):
                await self.handlers.deliver(interrupt_id)
            case Redeliver(interrupt_id, handler):
                await self.handlers.hand_over(interrupt_id, handler)
            case Settle(interrupt_id, handler):
                await self.handlers.settle(interrupt_id, handler)
            case Conclude(interrupt_id, handler):
                await self.handlers.conclude(interrupt_id, handler)
            case ArmTimer(interrupt_id, deadline):
                await self._times.sleep((deadline - self._times.now()).total_seconds())
                self._expire(interrupt_id, deadline)
            case RetryLater(step, visit, until, at_most):
                await self._times.sleep(min(until - self._times.now(), at_most).total_seconds())
                self._store([e.StepRetried(at=self._times.now(), step=step, visit=visit)])


async def _cancel_later(task: asyncio.Task[None]) -> None:
    """Cancel a task when all is told that this turn tells: what has ended by then is done, and counts.

    The SDK (1.35) would drop what an activity came to that is cancelled in the turn that tells it.
    """
    await workflow.wait_condition(lambda: True)
    task.cancel()
