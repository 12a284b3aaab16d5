"""One run in the hands of its owner: its log, its tasks, and those who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from spectra_bot.embedded.commands import CommandTasks
from spectra_bot.embedded.effects import RunEffects
from spectra_bot.embedded.ownership import Pulse
from spectra_bot.embedded.run_log import Ownership, RunLog
from spectra_bot.engine.execution import Execution
from spectra_bot.engine.proposals import Propose
from spectra_bot.engine.step_call import call_of
from spectra_bot.machine import (
    ArmTimer,
    Command,
    Conclude,
    Deliver,
    InterruptState,
    JudgeBack,
    JudgeWhen,
    Redeliver,
    RetryLater,
    RunState,
    RunStep,
    Settle,
)
from spectra_bot.machine import events as e
from spectra_bot.runs import RunStatus, RunUpdate


class Outbox(Protocol):
    """What an owned run needs of the handlers."""

    @property
    def names(self) -> Collection[str]:
        """The handlers that are registered in this process."""
        ...

    def knows(self, handler: str) -> bool:
        """The handler is registered in this process."""
        ...

    def all_delivered(self, interrupt: InterruptState) -> bool:
        """Every registered handler has it, or has had it."""
        ...

    async def carry_out(self, command: Command, run: OwnedRun) -> None:
        """Deliver, settle or conclude, however many attempts it takes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every owned run of an engine works with."""

    ownership: Ownership
    outbox: Outbox
    pulse: Pulse
    max_payload_bytes: int
    report: Callable[[RunUpdate], None] | None
    committed: Callable[[RunState], None]
    """Told after each commit, and when a run came into our hands, before anything is carried out."""
    idle: Callable[[OwnedRun], None]
    """Told when nothing of a run runs or waits any more."""


class OwnedRun:
    """Stores first and carries out second: every change goes through the log, and what it asks for follows."""

    def __init__(self, state: RunState, *, seq: int, epoch: int, execution: Execution, means: Means) -> None:
        self.means = means
        self.first_turns: set[str] = set()
        """Interrupts whose handlers have all been asked once."""
        self.inherited = frozenset(state.interrupts)
        """Interrupts that were there when the run came into our hands; nobody knows what was tried with them."""
        self.tried: set[tuple[str, str]] = set()
        """Interrupt id and handler of each delivery that has begun in our hands."""
        self._execution = execution
        self._watchers: list[asyncio.Future[None]] = []
        self._log = RunLog(
            state, seq=seq, epoch=epoch, ownership=means.ownership, changed=self._changed, quiet=self._quiet
        )
        self.effects = RunEffects(
            self._log,
            clock=means.ownership.clock,
            pulse=means.pulse,
            max_payload_bytes=means.max_payload_bytes,
            quiet=self._quiet,
        )
        self._tasks = CommandTasks(
            self._log,
            execute=self._execute,
            assist=self._assist,
            may_start=self._may_start,
            changed=self.carry_on,
            quiet=self._quiet,
        )

    @property
    def state(self) -> RunState:
        """The newest committed state."""
        return self._log.state

    @property
    def lost(self) -> bool:
        """Another process owns the run now."""
        return self._log.lost

    @property
    def is_busy(self) -> bool:
        """Something of it runs, waits to be stored, or is waited for."""
        return self._log.is_busy or self._tasks.is_busy or self.effects.is_busy or bool(self._watchers)

    def rests(self, *, over: bool) -> bool:
        """No step of it runs, and with `over` none will; its handlers may still be asking."""
        status = self.state.status
        if self.lost or self._tasks.is_ending:
            return False
        return status.over if over else status is not RunStatus.RUNNING

    @property
    def handlers_asked(self) -> bool:
        """Every handler had its first turn with every pending interrupt."""
        return all(
            interrupt.request.id in self.first_turns or self.means.outbox.all_delivered(interrupt)
            for interrupt in self.state.pending()
        )

    async def changed(self) -> None:
        """Return when the run may have come to rest: after a change that left no step running, or a handler's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append(future)
        await future

    async def submit(self, propose: Propose) -> Any:
        """Propose a change; return its outcome when it is on disk. Raises as `RunLog.submit` does."""
        return await self._log.submit(propose)

    async def keep(self, event: e.Event) -> None:
        """Store what happened to the world, however long the store fails; return when it is on disk, or too late."""
        await self._log.keep(event)

    def carry_on(self) -> None:
        """Start what the state asks for, and stop what it no longer does."""
        self._tasks.reconcile()
        if self.lost or self.state.status is not RunStatus.RUNNING:
            self.tell_watchers()

    def note(self) -> None:
        """Someone else may have appended, or taken the run: look."""
        self._log.note()

    def lose(self) -> None:
        """Stop everything: another owner has the run now."""
        self._log.lose()

    async def close(self, grace_s: float) -> None:
        """Stop what runs, giving it time to clean up; what is not stored runs again in the next process."""
        await self._tasks.close(grace_s)
        await self.effects.close(grace_s)
        await self._log.close(grace_s)
        self.tell_watchers()

    def tell(
        self,
        event: str,
        step: str | None,
        fraction: float | None = None,
        text: str = "",
        about: str | None = None,
    ) -> None:
        """Show an update to whoever listens in this process."""
        if self.means.report is not None:
            at = self.means.ownership.clock.now()
            self.means.report(
                RunUpdate(
                    run_id=self.state.run_id,
                    event=event,
                    step=step,
                    fraction=fraction,
                    text=text,
                    about=about,
                    at=at,
                )
            )

    def tell_watchers(self) -> None:
        """Wake those who await `changed`."""
        if self._watchers:
            watchers, self._watchers = self._watchers, []
            for future in watchers:
                if not future.done():
                    future.set_result(None)

    def _changed(self, events: Sequence[e.Event]) -> None:
        self.means.committed(self.state)
        if self.lost:
            self.effects.cancel()
        if self.means.report is not None:
            for event in events:
                self.tell(e.kind_of(event), getattr(event, "step", None))
        self.carry_on()

    def _quiet(self) -> None:
        if not self._log.is_busy and not self._tasks.is_busy and not self.effects.is_busy:
            self.tell_watchers()
            self.means.idle(self)

    def _may_start(self, command: Command) -> bool:
        match command:
            case Deliver(interrupt_id):
                return not self.means.outbox.all_delivered(self.state.interrupts[interrupt_id])
            case Settle() | Conclude() | Redeliver():
                return self.means.outbox.knows(command.handler)
            case ArmTimer():
                return False  # the engine fires the deadlines of all its runs
            case _:
                return True

    async def _execute(self, command: Command) -> Sequence[e.Event]:
        match command:
            case RunStep(step, visit):
                self.tell("StepStarted", step)
                return await self._execution.run_step(call_of(self.state, step), _StepEffects(self, step, visit))
            case JudgeWhen(step):
                return await self._execution.judge_when(call_of(self.state, step))
            case JudgeBack(step):
                return await self._execution.judge_back(call_of(self.state, step))
            case _:
                raise AssertionError(f"no code of a step: {command}")

    async def _assist(self, command: Command) -> None:
        if isinstance(command, RetryLater):
            await self._retry_later(command)
        else:
            await self.means.outbox.carry_out(command, self)

    async def _retry_later(self, command: RetryLater) -> None:
        """Have a step run again when its pause is over; what is left of it is counted from now on, jumps or not."""
        clock = self.means.ownership.clock
        left = min(command.until - clock.now(), command.at_most)
        await clock.sleep(max(left.total_seconds(), 0.0))
        await self.keep(e.StepRetried(at=clock.now(), step=command.step, visit=command.visit))


class _StepEffects:
    """A step's way to do effects once and show progress."""

    def __init__(self, run: OwnedRun, step: str, visit: int) -> None:
        self._run, self._step, self._visit = run, step, visit

    async def once(self, key: str, fn: Callable[[], object]) -> JsonValue:
        return await self._run.effects.once(self._step, self._visit, key, fn)

    def report(self, fraction: float | None, text: str, about: str | None) -> None:
        self._run.tell("StepProgress", self._step, fraction, text, about)
