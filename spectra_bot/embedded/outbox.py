"""Puts interrupts in front of people and closes them again, however many attempts it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta

from spectra_bot.clock import Clock, from_text, to_text
from spectra_bot.embedded.owned_run import OwnedRun
from spectra_bot.engine import asking
from spectra_bot.engine.groups import GroupTurns, undelivered
from spectra_bot.engine.proposals import propose_answer, refuse_unstorable
from spectra_bot.engine.views import result_of
from spectra_bot.errors import AnswerError, LeaseLostError, NotAllowedError
from spectra_bot.interrupts import (
    ChecksDeliveries,
    DeliversGroups,
    IInterruptHandler,
    InterruptResponse,
    handler_name,
)
from spectra_bot.machine import Command, Conclude, Deliver, InterruptState, Redeliver, Settle, StaleEvent
from spectra_bot.machine import events as e
from spectra_bot.retry_policy import asked_pause_s, pause_s
from spectra_bot.store import Attempt, AttemptKey, Store

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 300.0


class HandlerOutbox:
    """Asks the registered handlers in their order; what fails is tried again with growing pauses.

    A handler's error may carry `retry_after_s`, seconds, which are then the least pause.
    """

    def __init__(
        self, handlers: Sequence[IInterruptHandler], *, store: Store, clock: Clock, max_payload_bytes: int
    ) -> None:
        self.handlers: Mapping[str, IInterruptHandler] = {handler_name(handler): handler for handler in handlers}
        self._store = store
        self._clock = clock
        self._limit = max_payload_bytes
        self._moved = asyncio.Event()
        self._groups = GroupTurns(self._soon)

    @property
    def names(self) -> Collection[str]:
        """The handlers that are registered in this process."""
        return self.handlers.keys()

    def knows(self, handler: str) -> bool:
        """The handler is registered in this process."""
        return handler in self.handlers

    def all_delivered(self, interrupt: InterruptState) -> bool:
        """Every registered handler has it, or has had it: what was lost is a command of its own."""
        return all(name in interrupt.deliveries or name in interrupt.lost for name in self.handlers)

    def checking(self) -> Mapping[str, ChecksDeliveries]:
        """The handlers that can tell whether what they delivered still stands."""
        return {name: handler for name, handler in self.handlers.items() if isinstance(handler, ChecksDeliveries)}

    async def carry_out(self, command: Command, run: OwnedRun) -> None:
        """Deliver, settle or conclude, however many attempts it takes."""
        try:
            match command:
                case Deliver(interrupt_id):
                    await self._deliver(run, interrupt_id)
                case Redeliver(interrupt_id, name):
                    await self._until_done(run, (interrupt_id, name, "deliver"), self._hand_over)
                case Settle(interrupt_id, name):
                    await self._until_done(run, (interrupt_id, name, "settle"), self._settle)
                case Conclude(interrupt_id, name):
                    await self._until_done(run, (interrupt_id, name, "conclude"), self._conclude)
                case _:
                    raise AssertionError(f"no work of the outbox: {command}")
        except (LeaseLostError, StaleEvent):
            logger.debug("outbox entry is over", extra={"run_id": run.state.run_id})
        except Exception:
            # The store fails, say; the command stays wanted, and starts again when this returns.
            logger.warning("outbox entry was put off", extra={"run_id": run.state.run_id}, exc_info=True)
            await self._clock.sleep(FIRST_RETRY_S)

    async def _deliver(self, run: OwnedRun, interrupt_id: str) -> None:
        """Give each handler its turn, in order, and go on with those that failed or are still at it.

        A turn that takes longer than `asking.FIRST_TURN_S` does not hold up the next handler's.
        """
        turns: list[asyncio.Task[None]] = []
        try:
            for name in self.handlers:
                interrupt = run.state.interrupts[interrupt_id]
                if interrupt.response is not None:
                    return
                if name not in interrupt.deliveries and name not in interrupt.lost:
                    had_turn = asyncio.Event()
                    work = self._until_done(run, (interrupt_id, name, "deliver"), self._hand_over, had_turn)
                    turns.append(asyncio.create_task(work))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(had_turn.wait(), asking.FIRST_TURN_S)
            run.first_turns.add(interrupt_id)
            run.tell_watchers()
            await asyncio.gather(*turns)
        finally:
            for task in turns:
                task.cancel()
            await asyncio.gather(*turns, return_exceptions=True)
            self._moved.set()

    async def _until_done(
        self, run: OwnedRun, key: AttemptKey, work: _Work, had_turn: asyncio.Event | None = None
    ) -> None:
        try:
            while not await self._attempt(run, key, work):
                if had_turn is not None:
                    had_turn.set()
        finally:
            if had_turn is not None:
                had_turn.set()

    async def _attempt(self, run: OwnedRun, key: AttemptKey, work: _Work) -> bool:
        """One try, not before it is due; a failure is stored with when it is due again."""
        run_id = run.state.run_id
        before = (await self._store.attempts(run_id)).get(key)
        if before is not None:
            pause = (from_text(before.next_attempt_at) - self._clock.now()).total_seconds()
            await self._clock.sleep(min(max(pause, 0.0), MAX_RETRY_S))
        try:
            await work(run, *key[:2])
        except (LeaseLostError, StaleEvent):
            raise
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            attempts = before.attempts + 1 if before else 1
            pause = max(asked_pause_s(error), pause_s(attempts, first_s=FIRST_RETRY_S, longest_s=MAX_RETRY_S))
            due = self._clock.now() + timedelta(seconds=pause)
            attempt = Attempt(attempts=attempts, next_attempt_at=to_text(due), last_error=asking.in_words(error))
            await self._store.failed_attempt(run_id, key, attempt)
            logger.warning(
                "handler failed",
                extra={"run_id": run_id, "interrupt_id": key[0], "handler": key[1], "purpose": key[2]},
                exc_info=True,
            )
            return False
        return True

    async def _hand_over(self, run: OwnedRun, interrupt_id: str, name: str) -> None:
        interrupt = run.state.interrupts[interrupt_id]
        group = interrupt.request.group
        if group is None or name in interrupt.lost or not isinstance(self.handlers[name], DeliversGroups):
            await self._hand_over_one(run, interrupt_id, name)
            return
        self._moved.set()
        await self._groups.deliver(
            (run.state.run_id, group, name),
            interrupt_id,
            expected=lambda: undelivered(run.state, group, name),
            work=lambda batch: self._hand_over_together(run, batch, name),
        )

    async def _hand_over_one(self, run: OwnedRun, interrupt_id: str, name: str) -> None:
        interrupt = run.state.interrupts[interrupt_id]
        handler, loss = self.handlers[name], interrupt.lost.get(name)
        is_again = loss is not None or interrupt_id in run.inherited or (interrupt_id, name) in run.tried
        run.tried.add((interrupt_id, name))
        said = await asking.hand_over(
            handler, interrupt.request, is_again=is_again, lost=loss.receipt if loss else None, limit=self._limit
        )
        if isinstance(said, InterruptResponse):
            await self._answer(run, interrupt_id, name, said)
            return
        delivered = e.InterruptDelivered(at=self._clock.now(), interrupt_id=interrupt_id, handler=name, receipt=said)
        await run.keep(delivered)

    async def _hand_over_together(self, run: OwnedRun, interrupt_ids: Sequence[str], name: str) -> Collection[str]:
        handler = self.handlers[name]
        if len(interrupt_ids) == 1 or not isinstance(handler, DeliversGroups):
            await self._hand_over_one(run, interrupt_ids[0], name)
            return interrupt_ids[:1]
        keys = {(interrupt_id, name) for interrupt_id in interrupt_ids}
        is_again = not run.inherited.isdisjoint(interrupt_ids) or not run.tried.isdisjoint(keys)
        run.tried |= keys
        requests = [run.state.interrupts[interrupt_id].request for interrupt_id in interrupt_ids]
        receipts = await asking.hand_over_group(handler, requests, is_again=is_again, limit=self._limit)
        at = self._clock.now()
        delivered = [
            e.InterruptDelivered(at=at, interrupt_id=interrupt_id, handler=name, receipt=receipt)
            for interrupt_id, receipt in receipts.items()
        ]
        await asyncio.gather(*(run.keep(event) for event in delivered))  # which go to disk together
        return receipts.keys()

    async def _soon(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so that depends on which questions are delivered, or had their turn."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(asking.FIRST_TURN_S):
                while not ready():
                    self._moved.clear()
                    await self._moved.wait()

    async def _answer(self, run: OwnedRun, interrupt_id: str, name: str, given: InterruptResponse) -> None:
        """Store a handler's own answer, judged like anybody's; a refused one leaves the interrupt to people."""
        refuse_unstorable(given, self._limit)
        try:
            await run.submit(propose_answer(interrupt_id, given, self._clock))
        except NotAllowedError as refused:
            logger.info(
                "handler may not decide",
                extra={"run_id": run.state.run_id, "interrupt_id": interrupt_id, "why": str(refused)},
            )
            told = e.InterruptDelivered(at=self._clock.now(), interrupt_id=interrupt_id, handler=name)
            await run.keep(told)
        except AnswerError:
            if run.state.interrupts[interrupt_id].response is None:
                raise

    async def _settle(self, run: OwnedRun, interrupt_id: str, name: str) -> None:
        interrupt = run.state.interrupts[interrupt_id]
        handler = self.handlers[name]
        receipt = interrupt.deliveries[name].receipt
        if receipt is not None:
            await asking.settle(handler, interrupt, receipt)
        settled = e.InterruptSettled(
            at=self._clock.now(), interrupt_id=interrupt_id, handler=name, superseded_by=interrupt.superseded_by
        )
        await run.keep(settled)

    async def _conclude(self, run: OwnedRun, interrupt_id: str, name: str) -> None:
        interrupt = run.state.interrupts[interrupt_id]
        handler = self.handlers[name]
        receipt = interrupt.deliveries[name].receipt
        if receipt is not None:
            await asking.conclude(handler, result_of(run.state), interrupt.request, receipt)
        concluded = e.RunConcluded(at=self._clock.now(), handler=name)
        await run.keep(concluded)


_Work = Callable[[OwnedRun, str, str], Awaitable[None]]
