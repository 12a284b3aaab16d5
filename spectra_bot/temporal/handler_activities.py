"""The ways to ask people as activities: Temporal tries them again until they succeed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from spectra_bot.clock import Clock
from spectra_bot.engine import asking
from spectra_bot.errors import AnswerError, NotAllowedError
from spectra_bot.interrupts import DeliversGroups, IInterruptHandler, InterruptRequest, InterruptResponse
from spectra_bot.machine import events as e
from spectra_bot.retry_policy import asked_pause_s, pause_s
from spectra_bot.runs import InterruptRecord
from spectra_bot.temporal.beats import beating
from spectra_bot.temporal.messages import ConcludeCall, DeliverCall, DeliverGroupCall, Entry, SettleCall, entry_of
from spectra_bot.temporal.server_clock import began

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 300.0
ELSEWHERE_S = 2.0
"""The pause after which another worker may have the handler that this one does not know."""

Answer = Callable[[str, InterruptResponse], Awaitable[InterruptResponse]]
Look = Callable[[str], Awaitable[InterruptRecord]]


class HandlerActivities:
    """Speaks to the handlers that are registered in this process.

    Args:
        answer: stores an answer, judged like anybody's.
        look: how an interrupt stands.
        ended: told the run of each activity that has ended here.
    """

    def __init__(
        self,
        handlers: Mapping[str, IInterruptHandler],
        *,
        client: Client,
        clock: Clock,
        max_payload_bytes: int,
        answer: Answer,
        look: Look,
        ended: Callable[[str], None],
    ) -> None:
        self._handlers = handlers
        self._client = client
        self._clock = clock
        self._limit = max_payload_bytes
        self._answer = answer
        self._look = look
        self._run_ended = ended

    @activity.defn(name="spectra.deliver")
    async def deliver(self, call: DeliverCall) -> list[Entry]:
        """Put a request in front of people, or have it answered."""
        request = call.request
        async with self._attempt("deliver", call.handler, request) as handler:
            said = await asking.hand_over(
                handler,
                request,
                is_again=call.is_again or activity.info().attempt > 1,
                lost=call.lost,
                limit=self._limit,
            )
            if isinstance(said, InterruptResponse) and await self._decides(request, said):
                return []
            receipt = None if isinstance(said, InterruptResponse) else said
            delivered = e.InterruptDelivered(
                at=self._clock.now(), interrupt_id=request.id, handler=call.handler, receipt=receipt
            )
            return [entry_of(delivered)]

    @activity.defn(name="spectra.deliver_group")
    async def deliver_group(self, call: DeliverGroupCall) -> list[Entry]:
        """Put requests of one group in front of people together."""
        async with self._attempt("deliver", call.handler, *call.requests) as handler:
            if not isinstance(handler, DeliversGroups):
                raise _again(f"handler {call.handler} delivers no groups here", ELSEWHERE_S)
            receipts = await asking.hand_over_group(
                handler, call.requests, is_again=activity.info().attempt > 1, limit=self._limit
            )
            at = self._clock.now()
            return [
                entry_of(e.InterruptDelivered(at=at, interrupt_id=one, handler=call.handler, receipt=receipt))
                for one, receipt in receipts.items()
            ]

    @activity.defn(name="spectra.settle")
    async def settle(self, call: SettleCall) -> list[Entry]:
        """Show that an interrupt is over."""
        async with self._attempt("settle", call.handler, call.interrupt.request) as handler:
            if call.receipt is not None:
                await asking.settle(handler, call.interrupt, call.receipt)
        return []

    @activity.defn(name="spectra.conclude")
    async def conclude(self, call: ConcludeCall) -> list[Entry]:
        """Tell how a run ended."""
        async with self._attempt("conclude", call.handler, call.request) as handler:
            if call.receipt is not None:
                await asking.conclude(handler, call.result, call.request, call.receipt)
        return []

    @contextlib.asynccontextmanager
    async def _attempt(self, purpose: str, name: str, *requests: InterruptRequest) -> AsyncIterator[IInterruptHandler]:
        """One try; a failure tells Temporal when the next is due."""
        request = requests[0]
        extra = {"run_id": request.run_id, "interrupt_id": request.id, "handler": name, "purpose": purpose}
        handler = self._handlers.get(name)
        began(self._clock)
        try:
            if handler is None:
                raise _again(f"handler {name} is not registered here", ELSEWHERE_S)
            async with beating():
                yield handler
        except ApplicationError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if activity.is_worker_shutdown():
                raise _again("the worker was told to stop", 0.0) from None
            if activity.is_cancelled():
                raise asyncio.CancelledError from None
            logger.warning("handler failed", extra=extra, exc_info=True)
            attempt = activity.info().attempt
            if attempt == 1 and purpose == "deliver":
                await self._tell_turn_over(requests, name)
            least = asked_pause_s(error)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                least = max(least, FIRST_RETRY_S)  # it cancelled itself, which may be a time limit of its own
            pause = pause_s(attempt, first_s=FIRST_RETRY_S, longest_s=MAX_RETRY_S)
            raise _again(asking.in_words(error), max(least, pause)) from None  # it may not be able to say what it is
        finally:
            self._run_ended(request.run_id)

    async def _tell_turn_over(self, requests: Sequence[InterruptRequest], name: str) -> None:
        info = activity.info()
        run = self._client.get_workflow_handle(requests[0].run_id, run_id=info.workflow_run_id)
        with contextlib.suppress(RPCError):  # the next handler is asked a few seconds later then
            for request in requests:
                await run.signal("had_turn", args=[request.id, name])

    async def _decides(self, request: InterruptRequest, given: InterruptResponse) -> bool:
        """Store a handler's own answer, judged like anybody's; False where it may not decide, and people must."""
        try:
            await self._answer(request.id, given)
        except NotAllowedError as refused:
            logger.info(
                "handler may not decide",
                extra={"run_id": request.run_id, "interrupt_id": request.id, "why": str(refused)},
            )
            return False
        except AnswerError:
            if (await self._look(request.id)).status == "pending":
                raise
        return True


def _again(why: str, pause: float) -> ApplicationError:
    return ApplicationError(
        why,
        type="HandlerFailed",
        next_retry_delay=timedelta(seconds=max(pause, 0.001)),
        category=ApplicationErrorCategory.BENIGN,
    )
