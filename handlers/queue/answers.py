"""Answers from the queue: judged, stored, then taken off the stream."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from redis.backoff import ExponentialWithJitterBackoff

from handlers.queue.check import refuse_bad_queue
from handlers.queue.connection import BLOCK_S, Queue
from handlers.queue.entries import AnswerEntry, Refusal, RefusedAnswer
from handlers.queue.errors import REDIS_FAILURES, in_short
from handlers.queue.group import AnswerGroup, Entry
from spectra_bot import (
    AnswerError,
    InterruptResponse,
    InterruptStatus,
    InvalidJsonError,
    PayloadTooLargeError,
    Runner,
    redact,
)

logger = logging.getLogger(__name__)

CLAIM_AFTER = timedelta(seconds=30)
"""What a process has not finished by then, another takes over."""
_STOP_WITHIN_S = 5.0
_CANCEL_AGAIN_S = 0.1
_FOR_GOOD = (AnswerError, InvalidJsonError, PayloadTooLargeError)
"""What the runner will say of the same answer each time; anything else may pass by itself."""


@asynccontextmanager
async def serve_queue(
    runner: Runner, queue: Queue, *, trusts_names: bool = False, claim_after: timedelta = CLAIM_AFTER
) -> AsyncIterator[None]:
    """Take answers while the block lasts, however often Redis goes away and comes back.

    Whoever may write to the answer stream answers as `queue:` and the stream's name, whatever the message says.

    Args:
        trusts_names: a message may say in `responder` who decided, who is then `queue:STREAM/NAME`: every writer is
            trusted to name people, and could make up several.

    Raises:
        QueueSetupError: Redis does not let us in; says what to do. One that is away is waited for instead.
    """
    await refuse_bad_queue(queue)
    group = AnswerGroup(queue)
    answers = Answers(
        runner=runner,
        group=group,
        writers=f"queue:{queue.streams.answers}",
        trusts_names=trusts_names,
        claim_after=claim_after,
    )
    taking = asyncio.create_task(answers.take())
    try:
        yield
    finally:
        while not taking.done():  # redis-py 8.1 may lose a cancellation, and then reads on until an answer comes
            taking.cancel()
            await asyncio.wait([taking], timeout=_CANCEL_AGAIN_S)
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await group.leave()
        except REDIS_FAILURES as error:
            logger.debug("consumer not forgotten", extra={"consumer": group.consumer, "why": in_short(error)})


class Answers:
    """Takes what comes on the answer stream to the runner, one entry after the other.

    An entry leaves the stream when its answer is stored or refused for good. Until then it is pending for this process,
    which tries again with growing pauses, or for another if this one dies.

    Args:
        writers: the identity of whoever may write to the stream.
    """

    def __init__(
        self, *, runner: Runner, group: AnswerGroup, writers: str, trusts_names: bool, claim_after: timedelta
    ) -> None:
        self._runner = runner
        self._group = group
        self._writers = writers
        self._trusts_names = trusts_names
        self._claim_after = claim_after
        self._pauses = ExponentialWithJitterBackoff(base=0.2, cap=15.0)
        self._put_off = 0
        """How many rounds in a row left something unfinished."""
        self._again_at: float | None = None
        self._claim_at = 0.0

    async def take(self) -> None:
        """Take answers for ever."""
        failures = 0
        while True:
            try:
                await self._group.prepare()
                self._again_at = self._claim_at = 0.0  # an entry may have been lost on its way to us
                while True:
                    await self._round()
                    failures = 0
            except REDIS_FAILURES as error:
                failures += 1
                logger.warning("redis not reached; trying again", extra={"why": in_short(error)})
            except Exception:
                failures += 1
                logger.exception("answers not taken; trying again")
            await asyncio.sleep(self._pauses.compute(failures))

    async def _round(self) -> None:
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + self._claim_after.total_seconds() / 3
            await self._judge_all(self._group.abandoned(self._claim_after))
        if self._again_at is not None and time.monotonic() >= self._again_at:
            self._again_at = None
            if not await self._judge_all(self._group.unfinished()):
                self._put_off = 0
        next_look = self._claim_at if self._again_at is None else min(self._claim_at, self._again_at)
        wait = min(BLOCK_S, max(0.0, next_look - time.monotonic()))
        for entry in await self._group.new(timedelta(seconds=wait)):
            await self._judge(entry)

    async def _judge_all(self, entries: AsyncIterator[Entry]) -> int:
        """Judge them all; how many were put off."""
        return sum([not await self._judge(entry) async for entry in entries])

    async def _judge(self, entry: Entry) -> bool:
        """Store an answer, or set it aside; False where neither is possible now."""
        try:
            stored = await self._store(entry)
        except RefusedAnswer as refused:
            if await self._group.finish(entry, refused):
                extra = {"entry": entry.id, "refusal": refused.refusal.value, "why": redact(refused.reason)}
                logger.warning("answer set aside", extra=extra)
            return True
        except Exception:
            # The store fails, say: the answer is a good one for all we know, so it stays and is tried again.
            logger.warning("answer put off", extra={"entry": entry.id}, exc_info=True)
            if self._again_at is None:
                self._put_off += 1
                self._again_at = time.monotonic() + self._pauses.compute(self._put_off)
            return False
        await self._group.finish(entry)
        logger.debug("answer taken", extra={"entry": entry.id, "interrupt_id": stored.interrupt_id})
        return True

    async def _store(self, entry: Entry) -> InterruptResponse:
        """The answer on disk.

        Raises:
            RefusedAnswer: it is none, or it comes too late, or its writer may not decide this.
        """
        given = AnswerEntry.read(entry.fields)
        responder = self._responder(given.responder)
        try:
            request = (await self._runner.get_interrupt(given.interrupt_id)).request
            option = request.option(given.option)
            response = InterruptResponse(
                # What is not offered is for the judge to refuse, who first looks whether it is over.
                status=option.status if option else InterruptStatus.ANSWERED,
                option=given.option,
                data=given.data,
                notes=given.notes,
                responder=responder,
                interrupt_id=request.id,
            )
            return await self._runner.answer(request.id, response)
        except _FOR_GOOD as error:
            raise RefusedAnswer.by(error) from error

    def _responder(self, claimed: str | None) -> str:
        if claimed is None:
            return self._writers
        if not self._trusts_names:
            raise RefusedAnswer(
                Refusal.UNTRUSTED_NAME,
                f"every answer of this stream is given as {self._writers}: leave responder out, or let the bot believe "
                "its writers with SPECTRA_REDIS_TRUSTS_NAMES=true",
            )
        return f"{self._writers}/{claimed}"
