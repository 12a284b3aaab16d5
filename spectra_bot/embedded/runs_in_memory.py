"""The owned runs that are in memory: those that work, and for a while those that rest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from spectra_bot.embedded.owned_run import OwnedRun
from spectra_bot.machine import todo

KEPT_IDLE = 512
"""How many resting runs stay in memory, so that an answer finds them there."""


class RunsInMemory:
    """Holds runs by their ids, and forgets what has rested for longest."""

    def __init__(self) -> None:
        self._runs: dict[str, OwnedRun] = {}
        self._idle: OrderedDict[str, OwnedRun] = OrderedDict()

    def here(self, run_id: str) -> OwnedRun | None:
        """The run, if it is in memory and still ours."""
        run = self._runs.get(run_id)
        return run if run is not None and not run.lost else None

    def all_here(self) -> Sequence[OwnedRun]:
        """Every run in memory."""
        return list(self._runs.values())

    def hold(self, run: OwnedRun) -> None:
        """Take a run in, in place of a lost one."""
        self._runs[run.state.run_id] = run

    def lay_aside(self, run: OwnedRun) -> None:
        """Keep a run that does nothing any more for a while, unless it is over: it may be pruned then, and begin anew.

        What is held of it would stand for the new one.
        """
        run_id = run.state.run_id
        if self._runs.get(run_id) is run and not run.is_busy and run.state.status.over and not todo(run.state):
            del self._runs[run_id]
            self._idle.pop(run_id, None)
        else:
            self.keep_a_while(run)

    def keep_a_while(self, run: OwnedRun) -> None:
        """Keep a run that does nothing for a while, and forget the one that has done nothing for longest."""
        run_id = run.state.run_id
        if self._runs.get(run_id) is not run:
            return
        if run.lost:
            del self._runs[run_id]
            return
        self._idle[run_id] = run
        self._idle.move_to_end(run_id)
        while len(self._idle) > KEPT_IDLE:
            old_id, old = self._idle.popitem(last=False)
            if not old.is_busy and self._runs.get(old_id) is old:
                del self._runs[old_id]
