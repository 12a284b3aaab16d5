"""Time that tests move by hand, also for runs on Temporal, whose timers are the server's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from spectra_bot.runs import RunResult
from spectra_bot.temporal.messages import SPECTRA_RUN, RunInput
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.testing.clock import ManualClock


class ManualTimes:
    """A run's time: the test's own. What sleeps is woken by what the run is told, so that a replay is the same."""

    def __init__(self, run_id: str, clock: TemporalClock) -> None:
        self.told = 0.0
        self._run_id = run_id
        self._clock = clock
        self._sleeps = 0

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        self._sleeps += 1
        # A timer of Temporal stays what it was when it was set, also in a replay long after.
        key = (workflow.info().run_id, self._sleeps)
        due = self._clock.timers.setdefault(key, self._clock.monotonic() + seconds)
        self._clock.sleepers.append((due, self._run_id))
        await workflow.wait_condition(lambda: self.told >= due)


@workflow.defn(name=SPECTRA_RUN)
class ManualRun(SpectraRun):
    """A run as it is, but for its time."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    def make_times(self) -> ManualTimes:
        self._manual = ManualTimes(workflow.info().workflow_id, TemporalClock.of_this_test)
        return self._manual

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)

    @workflow.signal
    def time_passed(self, monotonic: float) -> None:
        self._manual.told = monotonic


class TemporalClock(ManualClock):
    """A manual clock that tells a run when something of it is due; it returns when the run can't miss it.

    Its calls are made in a thread of their own, because a clock is moved between two awaits.
    """

    of_this_test: TemporalClock

    def __init__(self, address: str) -> None:
        super().__init__()
        self.sleepers: list[tuple[float, str]] = []
        """When, by the monotonic clock, something of which run is due."""
        self.timers: dict[tuple[str, int], float] = {}
        self._has_woken = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._client: Client = self._wait(Client.connect(address, data_converter=pydantic_data_converter))
        TemporalClock.of_this_test = self

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def advance(self, delta: timedelta) -> None:
        super().advance(delta)
        sleepers, self.sleepers = self.sleepers, []
        due = {run_id for at, run_id in sleepers if at <= self.monotonic()}
        self.sleepers.extend(sleeper for sleeper in sleepers if sleeper[0] > self.monotonic())
        self._has_woken = self._has_woken or bool(due)
        for run_id in due:
            self._wait(self._tell(run_id))

    def has_woken(self) -> bool:
        """Something was due since this was last asked."""
        has_woken, self._has_woken = self._has_woken, False
        return has_woken

    async def _tell(self, run_id: str) -> None:
        run: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(run_id)
        with contextlib.suppress(RPCError):  # it is over by now
            await run.signal("time_passed", self.monotonic())

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def a_moment(clock: ManualClock) -> None:
    """Let what is due happen before time goes on; with Temporal it has to travel."""
    await asyncio.sleep(0.2 if isinstance(clock, TemporalClock) and clock.has_woken() else 0.005)


def is_tried_in(pause: timedelta, moment: datetime, clock: ManualClock) -> bool:
    """A handler is asked again after that pause: to the instant, or by the clock of Temporal, which spaces attempts."""
    if isinstance(clock, TemporalClock):
        return pause - timedelta(seconds=30) < moment - datetime.now(UTC) <= pause
    return moment - clock.now() == pause
