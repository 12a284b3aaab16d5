"""The handler that asks through a queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pydantic import JsonValue

from handlers.queue.connection import Queue, asked
from handlers.queue.entries import BODY, RequestEntry, SettledEntry
from handlers.queue.errors import REDIS_FAILURES, PublishError, queue_error
from spectra_bot import Delivered, InterruptRequest, InterruptResponse

logger = logging.getLogger(__name__)

KEPT = 100_000
"""About so many of the newest entries of a stream are kept."""


class QueueHandler:
    """Publishes each question to the request stream, and there also that it is over. Answers come by `serve_queue`.

    At least once: if the process dies between publishing and storing the receipt, it publishes again, with the same
    `interrupt_id`.

    Args:
        name: under which receipts are stored; only two queues in one runner need another.
    """

    def __init__(self, queue: Queue, *, name: str = "queue") -> None:
        self.name = name
        self._queue = queue

    async def handle(self, request: InterruptRequest) -> Delivered:
        """Publish the question.

        Returns:
            Its place, as `{"stream": ..., "entry": ...}`.

        Raises:
            PublishError: Redis did not take it.
        """
        stream = self._queue.streams.requests
        entry = await self._publish(RequestEntry.of(request))
        extra = {"run_id": request.run_id, "interrupt_id": request.id, "stream": stream, "entry": entry}
        logger.info("interrupt delivered", extra=extra)
        return Delivered({"stream": stream, "entry": entry})

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        """Publish how the question ended, so that whoever shows it can close it. May be called again.

        Raises:
            PublishError: Redis did not take it.
        """
        await self._publish(SettledEntry.of(request, response, str(receipt.get("entry", ""))))

    async def _publish(self, entry: RequestEntry | SettledEntry) -> str:
        queue = self._queue
        try:
            published = await asked(
                queue.client.xadd(queue.streams.requests, {BODY: entry.body()}, maxlen=KEPT, approximate=True)
            )
        except REDIS_FAILURES as error:
            raise PublishError(f"{queue_error(error, queue.where)}; it is tried again") from error
        return published.decode() if isinstance(published, bytes) else published
