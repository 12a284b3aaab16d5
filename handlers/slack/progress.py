"""Shows in the thread of a run's newest question what the run is at, as it happens in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from handlers.slack.errors import GONE, DeliveryError
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.layout import Message
from handlers.slack.messages import Place
from handlers.slack.people import slack_user
from handlers.slack.work import GOES_ON, PAUSED, STOPPED, StepAtWork, ends, work_message
from spectra_bot import InterruptRecord, RunDetails, RunUpdate, SpectraError

logger = logging.getLogger(__name__)

EVERY_S = 1.0
"""A run's message is changed at most so often."""
SILENT_S = 60.0
"""After so long without a word the run is looked at: its step may have been stopped from elsewhere."""
STORED_WITHIN_S = 5.0
"""After a click on a question, so long it is waited for where the question stands."""
_LOOKS_EVERY_S = 0.5
ENDS_S = 2.0
"""What is left for the last words when the process stops."""
_MOST_FAILURES = 20
_LONGEST_PAUSE_S = 60.0


class ThreadProgress:
    """One message for each time that a run works, in the thread of its newest question; without a question, none.

    Nothing of it is stored, and nothing waits for it: what Slack does not take in time is left out, but for the last.

    Args:
        sleep: how it pauses between two changes.
        now: seconds that only grow.
    """

    def __init__(
        self,
        handler: SlackApprovalHandler,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._sleep = sleep
        self._now = now
        self._at_work: dict[str, _Work] = {}
        self._next: dict[str, float] = {}
        """When each run's message may be changed again."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run_id, work in list(self._at_work.items()):
            self._leave(run_id, work, PAUSED)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear(self, update: RunUpdate) -> None:
        """Take in what happens to a run; returns at once."""
        work = self._at_work.get(update.run_id)
        if update.event == "RunCancelled" and work is not None:
            self._leave(update.run_id, work, STOPPED)
        elif update.step is None:
            return
        elif update.event == "StepStarted":
            if work is not None and (step := work.steps.get(update.step)) is not None and step.is_over:
                self._leave(update.run_id, work, GOES_ON)  # what it does now stands under what was asked last
        elif update.event == "StepProgress":
            if work is None:
                work = self._at_work[update.run_id] = _Work(update.run_id, update.at)
                task = asyncio.create_task(self._show(work))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            work.steps.setdefault(update.step, StepAtWork()).take(update)
            work.changed.set()
        elif work is not None and update.step in work.steps and ends(update):
            work.steps[update.step].take(update)
            work.changed.set()

    def _leave(self, run_id: str, work: _Work, says: str) -> None:
        """Have a message come to its end, and nothing more be added to it."""
        work.end(says)
        del self._at_work[run_id]

    async def _show(self, work: _Work) -> None:
        extra = {"run_id": work.run_id}
        try:
            await self._keep_showing(work)
        except SpectraError as error:
            logger.info("progress not shown", extra={**extra, "why": str(error)})
        except Exception:
            logger.exception("progress not shown", extra=extra)
        finally:
            if self._at_work.get(work.run_id) is work:
                del self._at_work[work.run_id]
            if work.run_id not in self._at_work:
                self._next.pop(work.run_id, None)

    async def _keep_showing(self, work: _Work) -> None:
        thread = await self._thread(work)
        failures = 0
        while True:
            await self._changed(work)
            if thread is None:
                if work.is_over:
                    return
                work.changed.clear()
                continue
            await self._turn(work.run_id)
            work.changed.clear()
            try:
                await self._put(work, thread, work_message(work.steps))
            except DeliveryError as error:
                failures += 1
                if error.is_for_good or error.code in GONE or failures > _MOST_FAILURES:
                    raise
                work.changed.set()  # the newest is shown later, and what comes until then is left out
                await self._sleep(max(error.retry_after_s or 0.0, min(EVERY_S * 2**failures, _LONGEST_PAUSE_S)))
                continue
            failures = 0
            if work.is_over and not work.changed.is_set():
                return

    async def _put(self, work: _Work, thread: Place, message: Message) -> None:
        messages = self._handler.messages
        if work.place is None:
            work.place = await messages.post(thread.channel, lambda _: message, thread_ts=thread.ts)
        else:
            await messages.change(work.place, lambda _: message, is_final=False)

    async def _thread(self, work: _Work) -> Place | None:
        """Where the run's newest question stood when this work began; None where it had asked nothing yet.

        What somebody clicked stands in Slack, though where it stands may be stored a little later than the answer.
        """
        until = asyncio.get_running_loop().time() + STORED_WITHIN_S
        while True:
            run = await self._look(work.run_id)
            is_late = asyncio.get_running_loop().time() >= until
            for record in reversed(run.interrupts if run is not None else ()):
                if work.began_after(record):
                    if (place := self._place(record)) is not None:
                        return place
                    if _was_clicked(record) and not is_late:
                        break
            else:
                return None
            await asyncio.sleep(_LOOKS_EVERY_S)

    def _place(self, record: InterruptRecord) -> Place | None:
        receipts = (delivery.receipt for delivery in record.deliveries if delivery.handler == self._handler.name)
        return next((place for receipt in receipts if (place := Place.of(receipt))), None)

    async def _look(self, run_id: str) -> RunDetails | None:
        return await self._handler.look(run_id) if self._handler.look is not None else None

    async def _changed(self, work: _Work) -> None:
        """Return when there is something new, also that nothing has come for long and the run works no more."""
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    await work.changed.wait()
                return
            except TimeoutError:
                run = await self._look(work.run_id)
                if run is None or not any(step.step in work.steps and step.phase == "running" for step in run.steps):
                    work.end(STOPPED)

    async def _turn(self, run_id: str) -> None:
        """Return when the run's message may be changed."""
        while (pause := self._next.get(run_id, 0.0) - self._now()) > 0:
            await self._sleep(pause)
        self._next[run_id] = self._now() + EVERY_S


class _Work:
    """What a run is at, and the message that shows it."""

    def __init__(self, run_id: str, began: datetime | None) -> None:
        self.run_id = run_id
        self.began = began
        self.steps: dict[str, StepAtWork] = {}
        self.changed = asyncio.Event()
        self.place: Place | None = None

    def end(self, says: str) -> None:
        """Nothing more comes of what is still at work."""
        for step in self.steps.values():
            if not step.is_over:
                step.end(says)
        self.changed.set()

    def began_after(self, record: InterruptRecord) -> bool:
        """The question was asked before; with one that was asked later the work has ended, before we could look."""
        asked_at = record.request.created_at
        return asked_at is not None and (self.began is None or asked_at < self.began)

    @property
    def is_over(self) -> bool:
        return all(step.is_over for step in self.steps.values())


def _was_clicked(record: InterruptRecord) -> bool:
    return record.response is not None and slack_user(record.response.responder) is not None
