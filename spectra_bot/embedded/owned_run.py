"""One run in the hands of its owner: proposals are judged, committed, and then carried out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.embedded.execution import Execution
from spectra_bot.embedded.journal import change
from spectra_bot.errors import LeaseLostError, SpectraError
from spectra_bot.json_values import to_json_value
from spectra_bot.machine import (
    Command,
    Conclude,
    Deliver,
    InterruptState,
    JudgeBack,
    JudgeWhen,
    RunState,
    RunStep,
    Settle,
    StaleEvent,
    apply,
    todo,
)
from spectra_bot.machine import events as e
from spectra_bot.runs import RunStatus, RunUpdate
from spectra_bot.store import Store

logger = logging.getLogger(__name__)

Propose = Callable[[RunState], tuple[Sequence[e.Event], object]]
"""Judges the newest state: gives the events it wants stored, and what to tell the proposer once they are.

An outcome that is an exception is raised to the proposer, also after its events were stored."""

MAX_RETRY_S = 5.0
_OF_STEPS = (RunStep, JudgeWhen, JudgeBack)


@dataclass(frozen=True, slots=True)
class _Proposal:
    propose: Propose
    future: asyncio.Future[Any] | None = None
    command: Command | None = None
    """The command whose result this is, which must be stored however long the store fails."""


class Outbox(Protocol):
    """What an owned run needs of the handlers."""

    def knows(self, handler: str) -> bool:
        """The handler is registered in this process."""
        ...

    def all_delivered(self, interrupt: InterruptState) -> bool:
        """Every registered handler has it."""
        ...

    async def carry_out(self, command: Command, run: OwnedRun) -> None:
        """Deliver, settle or conclude, however many attempts it takes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every owned run of an engine works with."""

    store: Store
    clock: Clock
    owner_id: str
    outbox: Outbox
    max_payload_bytes: int
    report: Callable[[RunUpdate], None] | None
    catch_up: Callable[[RunState, int], Any]
    """Awaitable; the state and number after what others appended."""
    committed: Callable[[RunState], None]
    """Told after each commit, before anything is carried out."""


class OwnedRun:
    """Holds a run's newest committed state and the tasks that carry out its commands.

    Every change is a proposal: a function of the newest state that gives events. Proposals that wait together are
    committed together, and nothing is carried out before it is committed. An append that is refused because someone
    else wrote first is judged anew on what they wrote.
    """

    def __init__(
        self,
        state: RunState,
        *,
        seq: int,
        epoch: int,
        execution: Execution,
        means: Means,
        idle: Callable[[OwnedRun], None],
    ) -> None:
        self.state = state
        self.means = means
        self.lost = False
        self.first_turns: set[str] = set()
        """Interrupts whose handlers have all been asked once."""
        self._seq = seq
        self._epoch = epoch
        self._execution = execution
        self._idle = idle
        self._inbox: list[_Proposal] = []
        self._stale = False
        self._pump_task: asyncio.Task[None] | None = None
        self._closing = False
        self._tasks: dict[Command, asyncio.Task[None]] = {}
        self._in_chain = False
        """The pump runs in the task of a step that has ended, which may as well execute the next one."""
        self._next: Command | None = None
        """The command that this task carries out when the pump is done."""
        self._reported: set[Command] = set()
        """Commands whose results wait to be stored; the state still asks for them."""
        self._ending: dict[asyncio.Task[None], Command] = {}
        """Cancelled tasks that still clean up; their command does not start again before they are done."""
        self._watchers: list[asyncio.Future[None]] = []

    @property
    def is_busy(self) -> bool:
        """Something of it runs or waits to be stored."""
        return bool(self._pump_task or self._inbox or self._tasks or self._ending)

    @property
    def watched(self) -> bool:
        """Somebody waits for its next change."""
        return bool(self._watchers)

    def rests(self, *, over: bool) -> bool:
        """No step of it runs, and with `over` none will; its handlers may still be asking."""
        status = self.state.status
        return not self.lost and not self._ending and (status.over if over else status is not RunStatus.RUNNING)

    @property
    def handlers_asked(self) -> bool:
        """Every handler had its first turn with every pending interrupt."""
        return all(
            interrupt.request.id in self.first_turns or self.means.outbox.all_delivered(interrupt)
            for interrupt in self.state.pending()
        )

    async def changed(self) -> None:
        """Return after the next change of the state, of its tasks or of a handler's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append(future)
        await future

    async def submit(self, propose: Propose) -> Any:
        """Propose a change; return its outcome when it is on disk.

        Raises:
            LeaseLostError: another process owns the run now; nothing was stored.
            StoreError: the store refused; nothing was stored.
            Exception: whatever the proposal raised, or gave as its outcome.
        """
        if self.lost:
            raise LeaseLostError(self.state.run_id)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inbox.append(_Proposal(propose, future))
        self._wake()
        return await future

    def carry_on(self) -> None:
        """Start what the state asks for, and stop what it no longer does."""
        self._reconcile()
        self.tell_watchers()

    def note(self) -> None:
        """Someone else may have appended: take it in, and carry it on."""
        self._stale = True
        self._wake()

    def tell(self, update: RunUpdate) -> None:
        """Show an update to whoever listens in this process."""
        if self.means.report is not None:
            self.means.report(update)

    def tell_watchers(self) -> None:
        """Wake those who await `changed`."""
        if self._watchers:
            watchers, self._watchers = self._watchers, []
            for future in watchers:
                if not future.done():
                    future.set_result(None)

    async def close(self, grace_s: float) -> None:
        """Stop what runs, giving it time to clean up; what is not stored runs again in the next process."""
        self._closing = True
        self._break_chain()
        tasks = [*self._tasks.values(), *self._ending]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                logger.warning("step did not stop in time", extra={"run_id": self.state.run_id})
                task.remove_done_callback(self._ended)
        if self._pump_task is not None:
            await asyncio.wait([self._pump_task], timeout=grace_s)
        self.tell_watchers()

    # The pump alone changes state and number.

    def _wake(self) -> None:
        if self._pump_task is None:
            self._pump_task = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        try:
            while (self._inbox or self._stale) and not self.lost:
                if self._stale:
                    self._stale = False
                    await self._catch_up()
                    self.carry_on()
                if self._inbox:
                    await self._commit_inbox()
        finally:
            self._pump_task = None
            self.tell_watchers()
            self._tell_if_idle()

    async def _commit_inbox(self) -> None:
        group, self._inbox = self._inbox, []
        retry_s = 0.1
        while True:
            state, events, outcomes = self._judge(group)
            if not events:
                break
            try:
                stored = await self.means.store.append(
                    change(self._seq, events, self.state, state),
                    owner_id=self.means.owner_id,
                    epoch=self._epoch,
                )
            except Exception as error:
                logger.warning("change was not stored", extra={"run_id": self.state.run_id}, exc_info=True)
                group = [proposal for proposal in group if not _refuse(proposal, error)]
                if not group or self._closing:
                    return
                await self.means.clock.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)
                continue
            if stored:
                self.state = state
                self._seq += len(events)
                self.means.committed(state)
                break
            if not await self._catch_up():
                for proposal in group:
                    _refuse(proposal, LeaseLostError(self.state.run_id))
                return
        for proposal, outcome in outcomes:
            _settle_future(proposal.future, outcome)
            if proposal.command is not None:
                self._reported.discard(proposal.command)
        if events:
            for event in events:
                self._tell_event(event)
            self.carry_on()

    def _judge(self, group: Sequence[_Proposal]) -> tuple[RunState, list[e.Event], list[tuple[_Proposal, object]]]:
        """What a group of proposals makes of the newest state."""
        state = self.state
        events: list[e.Event] = []
        outcomes: list[tuple[_Proposal, object]] = []
        for proposal in group:
            after = state
            try:
                wanted, outcome = proposal.propose(state)
                for event in wanted:
                    after = apply(after, event)
            except StaleEvent as stale:
                logger.debug("change came too late", extra={"run_id": state.run_id, "why": stale.what})
                outcomes.append((proposal, stale))
            except Exception as error:  # noqa: BLE001  told to its proposer
                outcomes.append((proposal, error))
            else:
                state = after
                events.extend(wanted)
                outcomes.append((proposal, outcome))
        return state, events, outcomes

    async def _catch_up(self) -> bool:
        """Take in events that others appended; False if the run has another owner by now."""
        run_id = self.state.run_id
        if await self.means.store.owner_of(run_id) != (self.means.owner_id, self._epoch):
            self.lose()
            return False
        self.state, self._seq = await self.means.catch_up(self.state, self._seq)
        return True

    def lose(self) -> None:
        """Stop everything: another process owns the run now, and nothing more may be stored for it from here."""
        logger.warning("run was taken over by another process", extra={"run_id": self.state.run_id})
        self.lost = True
        self._break_chain()
        for task in self._tasks.values():
            task.cancel()
        inbox, self._inbox = self._inbox, []
        for proposal in inbox:
            _refuse(proposal, LeaseLostError(self.state.run_id))
        self.tell_watchers()

    # Commands and their tasks.

    def _reconcile(self) -> None:
        if self.lost or self._closing:
            return
        wanted = todo(self.state)
        if self._tasks:
            gone = self._tasks.keys() - wanted
            if self._next in gone:
                gone.discard(self._next)
                self._break_chain()
            for command in gone:
                task = self._tasks.pop(command)
                task.cancel()
                self._ending[task] = command
        for command in wanted:
            if command not in self._tasks and command not in self._reported and self._may_start(command):
                self._start(command)

    def _start(self, command: Command) -> None:
        """Carry a command out in a task of its own, or in the one that has just ended a step."""
        if self._in_chain and self._pump_task is not None and self._next is None and isinstance(command, _OF_STEPS):
            task = self._pump_task
            self._next = command
        else:
            task = asyncio.create_task(self._carry_out(command))
            task.add_done_callback(self._ended)
        self._tasks[command] = task

    def _break_chain(self) -> None:
        if self._next is not None:
            del self._tasks[self._next]
            self._next = None

    def _may_start(self, command: Command) -> bool:
        if self._ending and command in self._ending.values():
            return False
        match command:
            case RunStep() | JudgeWhen() | JudgeBack():
                return True
            case Deliver():
                return not self.means.outbox.all_delivered(self.state.interrupts[command.interrupt_id])
            case Settle() | Conclude():
                return self.means.outbox.knows(command.handler)
            case _:
                return False  # the engine fires the deadlines of all its runs

    async def _carry_out(self, command: Command) -> None:
        if not isinstance(command, _OF_STEPS):
            await self.means.outbox.carry_out(command, self)
            return
        following: Command | None = command
        while following is not None:
            following = await self._execute(following)

    async def _execute(self, command: Command) -> Command | None:
        """Run users' code and report what came of it; returns the command that this task goes on with."""
        state = self.state
        events: Sequence[e.Event]
        match command:
            case RunStep(step, visit):
                if self.means.report is not None:
                    self.tell(RunUpdate(run_id=state.run_id, event="StepStarted", step=step))
                events = await self._execution.run_step(state, step, _StepEffects(self, step, visit))
            case JudgeWhen(step):
                events = await self._execution.judge_when(state, step)
            case JudgeBack(step):
                events = await self._execution.judge_back(state, step)
            case _:
                raise AssertionError(f"no code of a step: {command}")
        # From here on the command is a result that waits to be stored, and cancelling it would undo nothing.
        if self._tasks.pop(command, None) is None or self.lost:
            return None
        self._reported.add(command)
        self._inbox.append(_Proposal(lambda _: (events, None), command=command))
        if self._pump_task is not None:
            return None
        self._pump_task = asyncio.current_task()
        self._in_chain = True
        try:
            await self._pump()
        finally:
            self._in_chain = False
        following, self._next = self._next, None
        return following

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("command ended with an error", exc_info=error, extra={"run_id": self.state.run_id})
        was_ending = self._ending.pop(task, None)
        for command in [command for command, running in self._tasks.items() if running is task]:
            del self._tasks[command]
            was_ending = command
        if was_ending is not None:
            self.carry_on()
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if not self.is_busy:
            self._idle(self)

    def _tell_event(self, event: e.Event) -> None:
        if self.means.report is not None:
            step = getattr(event, "step", None)
            self.tell(RunUpdate(run_id=self.state.run_id, event=e.kind_of(event), step=step))


class _StepEffects:
    """A step's way to store results and show progress."""

    def __init__(self, run: OwnedRun, step: str, visit: int) -> None:
        self._run, self._step, self._visit = run, step, visit

    async def store_once(self, key: str, value: object) -> JsonValue:
        means = self._run.means
        stored = to_json_value(value, f"once {key!r} of {self._step}", means.max_payload_bytes)
        event = e.OnceStored(at=means.clock.now(), step=self._step, visit=self._visit, key=key, value=stored)
        try:
            await self._run.submit(lambda _: ([event], None))
        except StaleEvent as stale:
            raise SpectraError(f"once {key!r}: {stale.what}") from stale
        return stored

    def report(self, fraction: float | None, text: str) -> None:
        run_id = self._run.state.run_id
        self._run.tell(RunUpdate(run_id=run_id, event="StepProgress", step=self._step, fraction=fraction, text=text))


def _refuse(proposal: _Proposal, error: Exception) -> bool:
    """Tell a proposer that its change was not stored; False where nobody waits to be told."""
    _settle_future(proposal.future, error)
    return proposal.command is None


def _settle_future(future: asyncio.Future[Any] | None, outcome: object) -> None:
    if future is None or future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
