"""The tasks of one owned run: started when its state asks for a command, stopped when it no longer does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from spectra_bot.embedded.run_log import RunLog
from spectra_bot.machine import Command, JudgeBack, JudgeWhen, RunStep, todo
from spectra_bot.machine import events as e

logger = logging.getLogger(__name__)

STEP_COMMANDS = (RunStep, JudgeWhen, JudgeBack)
"""Those that run users' code and end with events."""

CUT_OFF_S = 1.0
"""How long a command waits whose task ended by itself and told nothing: started at once, it would do so at once."""


class CommandTasks:
    """Reconciles the tasks that run with the commands of the newest state.

    A task that has ended a step commits its result itself and goes on with the next step, so that a chain of steps
    is one task.

    Args:
        execute: runs users' code for a step's command; gives what came of it.
        assist: delivers, settles or concludes, and stores that itself.
        may_start: whether this process can carry a command out, and has not already.
        changed: told when a task that cleaned up is done.
        quiet: told when a task ended.
    """

    def __init__(
        self,
        log: RunLog,
        *,
        execute: Callable[[Command], Awaitable[Sequence[e.Event]]],
        assist: Callable[[Command], Awaitable[None]],
        may_start: Callable[[Command], bool],
        changed: Callable[[], None],
        quiet: Callable[[], None],
    ) -> None:
        self._log = log
        self._execute = execute
        self._assist = assist
        self._may_start = may_start
        self._changed = changed
        self._quiet = quiet
        self._closing = False
        self._running: dict[Command, asyncio.Task[None]] = {}
        self._reported: set[Command] = set()
        """Commands whose results wait to be stored; the state still asks for them."""
        self._ending: dict[asyncio.Task[None], Command] = {}
        """Cancelled tasks that still clean up; their step, or other command, does not start before they are done."""
        self._in_chain = False
        """The pump runs in the task of a step that has ended, which may as well execute the next one."""
        self._next: Command | None = None
        """The command that this task carries out when the pump is done."""

    @property
    def is_busy(self) -> bool:
        """A task runs."""
        return bool(self._running or self._ending)

    @property
    def is_ending(self) -> bool:
        """A cancelled task still cleans up."""
        return bool(self._ending)

    def reconcile(self) -> None:
        """Start what the state asks for, and stop what it no longer does."""
        if self._log.lost:
            self._stop(list(self._running))
            return
        if self._closing:
            return
        wanted = todo(self._log.state)
        if self._running:
            asked_for = set(wanted)
            self._stop([command for command in self._running if command not in asked_for])
        for command in wanted:
            if command in self._running or command in self._reported:
                continue
            if self._may_start(command) and not (self._ending and self._still_ends(command)):
                self._start(command)

    async def close(self, grace_s: float) -> None:
        """Cancel everything and give it time to clean up."""
        self._closing = True
        self._stop(list(self._running))
        if self._ending:
            _, late = await asyncio.wait(list(self._ending), timeout=grace_s)
            for task in late:
                logger.warning("step did not stop in time", extra={"run_id": self._log.state.run_id})
                task.remove_done_callback(self._ended)

    def _still_ends(self, command: Command) -> bool:
        """A cancelled task of this command still cleans up, or one of the same step in an older visit."""
        if not isinstance(command, STEP_COMMANDS):
            return command in self._ending.values()
        return any(
            isinstance(ending, STEP_COMMANDS) and ending.step == command.step for ending in self._ending.values()
        )

    def _stop(self, commands: Sequence[Command]) -> None:
        for command in commands:
            task = self._running.pop(command)
            if command == self._next:
                self._next = None
                continue
            task.cancel()
            self._ending[task] = command

    def _start(self, command: Command) -> None:
        pump_task = self._log.pump_task
        if self._in_chain and pump_task is not None and self._next is None and isinstance(command, STEP_COMMANDS):
            self._next = command
            self._running[command] = pump_task
            return
        task = asyncio.create_task(self._carry_out(command))
        task.add_done_callback(self._ended)
        self._running[command] = task

    async def _carry_out(self, command: Command) -> None:
        if not isinstance(command, STEP_COMMANDS):
            await self._assist(command)
            return
        following: Command | None = command
        while following is not None:
            following = await self._carry_on_from(following)

    async def _carry_on_from(self, command: Command) -> Command | None:
        """Run users' code and report what came of it; returns the command that this task goes on with."""
        events = await self._execute(command)
        # From here on the command is a result that waits to be stored, and cancelling it would undo nothing.
        task = self._running.pop(command, None)
        if task is None or self._log.lost:
            return None
        self._reported.add(command)
        self._log.report(events, lambda fits: self._judged(command, fits))
        if self._log.pump_task is not None:
            return None
        self._in_chain = True
        try:
            await self._log.pump(task)
        finally:
            self._in_chain = False
        following, self._next = self._next, None
        return following

    def _judged(self, command: Command, fits: bool) -> None:
        """Its result is stored or dropped. One that broke a rule is not tried again here: it would do so for ever."""
        if fits:
            self._reported.discard(command)

    def _wait_with(self, command: Command) -> None:
        extra = {"run_id": self._log.state.run_id, "command": command}
        logger.warning("command was cut off, by its own code it seems, and is started again", extra=extra)
        pause = asyncio.create_task(asyncio.sleep(CUT_OFF_S))
        pause.add_done_callback(self._ended)
        self._running[command] = pause

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("command ended with an error", exc_info=error, extra={"run_id": self._log.state.run_id})
        ended = [command for command, running in self._running.items() if running is task]
        for command in ended:
            del self._running[command]
            if (task.cancelled() or error is not None) and not self._closing and not self._log.lost:
                self._wait_with(command)
        if self._ending.pop(task, None) is not None or ended:
            self._changed()
        self._quiet()
