"""Speaks to the handlers from inside a run's workflow: each turn of one is an activity, tried until it succeeds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from pydantic import JsonValue
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from spectra_bot.engine.groups import GroupTurns, undelivered
from spectra_bot.engine.views import result_of
from spectra_bot.machine import events as e
from spectra_bot.store import Attempt, AttemptKey
from spectra_bot.temporal.messages import (
    FOR_EVER,
    ConcludeCall,
    DeliverCall,
    DeliverGroupCall,
    Entry,
    SettleCall,
    event_of,
)
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.room import Room
from spectra_bot.temporal.times import Times

FIRST_RETRY = timedelta(seconds=1)
MAX_RETRY = timedelta(seconds=300)


class Stopped(Exception):  # noqa: N818  it is no error
    """An activity of a handler was stopped."""


class HandlerCalls:
    """What one run has its handlers do.

    Args:
        names: who is asked about each interrupt, in this order; those of an earlier execution of the run.
        store: takes in events.
        let_end: stops a handler's turn with an interrupt, and waits for it before another begins.
    """

    def __init__(
        self,
        record: Record,
        *,
        times: Times,
        lease_s: float,
        first_turn_s: float,
        names: Mapping[str, Sequence[str]],
        room: Room,
        store: Callable[[Sequence[e.Event]], None],
        let_end: Callable[[asyncio.Task[None], str], None],
    ) -> None:
        self.names = dict(names)
        self.had_turns: set[tuple[str, str]] = set()
        """Interrupt and handler of each turn that is over, though the handler goes on."""
        self.grouping: set[str] = set()
        """Handlers that deliver a group's questions together, where they are asked for the first time."""
        self._first_turns: set[str] = set()
        """Interrupts whose handlers have all been asked once."""
        self._record = record
        self._times = times
        self._heartbeat = timedelta(seconds=lease_s)
        self._first_turn = timedelta(seconds=first_turn_s)
        self._room = room
        self._store = store
        self._let_end = let_end
        self._inherited = frozenset(names)
        """Interrupts of an earlier execution; nobody knows whether their deliveries had begun."""
        self._groups = GroupTurns(self._soon)
        self._under_way: dict[str, Sequence[AttemptKey]] = {}
        """What each activity is for, by its id."""
        self.activities = 0

    @property
    def is_busy(self) -> bool:
        """A handler is at work."""
        return bool(self._under_way)

    def all_asked(self) -> bool:
        """Every handler had its first turn with every pending interrupt."""
        return all(
            interrupt.request.id in self._first_turns or self.all_delivered(interrupt.request.id)
            for interrupt in self._record.state.pending()
        )

    def all_delivered(self, interrupt_id: str) -> bool:
        """Every handler has it, or has had it: what was lost is a command of its own."""
        interrupt = self._record.state.interrupts[interrupt_id]
        names = self.names.get(interrupt_id, ())
        return all(name in interrupt.deliveries or name in interrupt.lost for name in names)

    def attempts(self, failing: Mapping[str, Attempt]) -> dict[AttemptKey, Attempt]:
        """What handlers fail at, given what Temporal says of each activity by its id."""
        return {key: attempt for by, attempt in failing.items() for key in self._under_way.get(by, ())}

    async def deliver(self, interrupt_id: str) -> None:
        """Give each handler its turn, in order, and let those go on that failed or are still at it."""
        turns: list[asyncio.Task[None]] = []
        try:
            names = self.names.get(interrupt_id, ())
            for name in names:
                interrupt = self._record.state.interrupts[interrupt_id]
                if name in interrupt.deliveries or name in interrupt.lost:
                    continue
                turn = asyncio.create_task(self.hand_over(interrupt_id, name))
                turns.append(turn)
                await self._turn_over(turn, (interrupt_id, name), is_last=name == names[-1])
            self._first_turns.add(interrupt_id)
            _raise_what_is_wrong(await asyncio.gather(*turns, return_exceptions=True))
        except asyncio.CancelledError:
            for turn in turns:
                self._let_end(turn, interrupt_id)
            raise

    async def _turn_over(self, turn: asyncio.Task[None], key: tuple[str, str], *, is_last: bool) -> None:
        try:
            await workflow.wait_condition(
                lambda: turn.done() or key in self.had_turns,
                timeout=None if is_last else self._first_turn,  # nobody comes after the last: a timer less
            )
        except TimeoutError:
            self.had_turns.add(key)

    async def hand_over(self, interrupt_id: str, name: str) -> None:
        """Have one handler put an interrupt in front of people, or answer it."""
        interrupt = self._record.state.interrupts[interrupt_id]
        group = interrupt.request.group
        is_again = name in interrupt.lost or interrupt_id in self._inherited
        if group is None or is_again or name not in self.grouping:
            await self._hand_over_one(interrupt_id, name)
            return
        await self._groups.deliver(
            (group, name),
            interrupt_id,
            expected=lambda: undelivered(self._record.state, group, name),
            work=lambda batch: self._hand_over_together(batch, name),
        )

    async def _hand_over_together(self, interrupt_ids: Sequence[str], name: str) -> Collection[str]:
        if len(interrupt_ids) == 1:
            await self._hand_over_one(interrupt_ids[0], name)
            return interrupt_ids
        requests = [self._record.state.interrupts[interrupt_id].request for interrupt_id in interrupt_ids]
        keys = [(interrupt_id, name, "deliver") for interrupt_id in interrupt_ids]
        told = await self._persist("deliver_group", keys, DeliverGroupCall(handler=name, requests=requests))
        events = [event_of(entry) for entry in told]
        self._store(events)
        return [event.interrupt_id for event in events if isinstance(event, e.InterruptDelivered)]

    async def _soon(self, ready: Callable[[], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            if not ready():
                await workflow.wait_condition(ready, timeout=self._first_turn)

    async def _hand_over_one(self, interrupt_id: str, name: str) -> None:
        interrupt = self._record.state.interrupts[interrupt_id]
        loss = interrupt.lost.get(name)
        call = DeliverCall(
            handler=name,
            request=interrupt.request,
            is_again=loss is not None or interrupt_id in self._inherited,
            lost=dict(loss.receipt) if loss is not None else None,
        )
        told = await self._persist("deliver", [(interrupt_id, name, "deliver")], call)
        self._store([event_of(entry) for entry in told])

    async def settle(self, interrupt_id: str, name: str) -> None:
        """Have a handler show that an interrupt is over."""
        interrupt = self._record.state.interrupts[interrupt_id]
        receipt = interrupt.deliveries[name].receipt
        call = SettleCall(handler=name, interrupt=interrupt, receipt=_as_dict(receipt))
        await self._persist("settle", [(interrupt_id, name, "settle")], call)
        settled = e.InterruptSettled(
            at=self._times.now(), interrupt_id=interrupt_id, handler=name, superseded_by=interrupt.superseded_by
        )
        self._store([settled])

    async def conclude(self, interrupt_id: str, name: str) -> None:
        """Have a handler tell how the run ended."""
        interrupt = self._record.state.interrupts[interrupt_id]
        call = ConcludeCall(
            handler=name,
            result=result_of(self._record.state),
            request=interrupt.request,
            receipt=_as_dict(interrupt.deliveries[name].receipt),
        )
        await self._persist("conclude", [(interrupt_id, name, "conclude")], call)
        self._store([e.RunConcluded(at=self._times.now(), handler=name)])

    async def _persist(self, what: str, keys: Sequence[AttemptKey], call: object) -> list[Entry]:
        """Have a handler do something, however many attempts it takes: Temporal counts and spaces them."""
        self.activities += 1
        activity_id = f"{what}-{self.activities}"
        self._under_way[activity_id] = keys
        try:
            await self._room.take(call)
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
            raise Stopped from error  # its attempts have no end
        finally:
            del self._under_way[activity_id]


def _raise_what_is_wrong(outcomes: Sequence[BaseException | None]) -> None:
    for outcome in outcomes:
        if outcome is not None and not isinstance(outcome, Stopped | asyncio.CancelledError):
            raise outcome


def _as_dict(receipt: Mapping[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    return None if receipt is None else dict(receipt)
