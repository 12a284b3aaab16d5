"""Messages with a row for each of several questions: posted, found again, and kept up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import JsonValue

from handlers.slack.copies import Copies, metadata_of
from handlers.slack.messages import Messages, Place
from handlers.slack.rows import Row, how_many_fit, rows_message
from handlers.slack.verdicts import with_reason
from spectra_bot import InterruptRecord, InterruptRequest, RunDetails

logger = logging.getLogger(__name__)

Look = Callable[[str], Awaitable[RunDetails]]
"""How a run stands, by its id."""


class GroupMessages:
    """Draws each message from what the store says of its rows, so that nobody's change of one row undoes another's.

    Which rows a message has is fixed when it is posted, and stands in the receipt of each.
    """

    def __init__(self, messages: Messages, copies: Copies, *, handler: str, look: Look) -> None:
        self._messages = messages
        self._copies = copies
        self._handler = handler
        self._look = look

    async def post(self, channel: str, requests: Sequence[InterruptRequest], *, again: bool) -> Place:
        """Post questions that fit in one message.

        Args:
            again: they may stand already; then they are not posted, where the bot may look.

        Raises:
            DeliveryError: they could not be posted, or looked for.
            SpectraError: the run could not be looked at.
        """
        place = await self._copies.find(channel, requests[0], as_group=True) if again else None
        if place is not None:
            await self.show(place, requests[0].run_id, [request.id for request in requests])
            return place
        rows = [Row(request=request) for request in requests]
        return await self._messages.post(
            channel, lambda bare: rows_message(rows, bare=bare), metadata=metadata_of(requests[0], as_group=True)
        )

    async def show(self, place: Place, run_id: str, interrupt_ids: Sequence[str]) -> None:
        """Bring a message up to date, with these rows.

        Raises:
            DeliveryError: it could not be changed.
            SpectraError: the run could not be looked at.
        """

        async def read() -> list[Row]:
            return [_row(record) for record in (await self._look(run_id)).interrupts if record.request.id in wanted]

        wanted = set(interrupt_ids)
        await self._messages.redraw(place, read, lambda rows, bare: rows_message(rows, bare=bare))

    async def rows_at(self, place: Place, record: InterruptRecord) -> Sequence[str]:
        """The rows of a message in which one was clicked; none where it is a message of one question."""
        if record.request.group is None:
            return ()
        for delivery in record.deliveries:
            if delivery.handler == self._handler and delivery.receipt is not None:
                rows = rows_in(delivery.receipt)
                if rows or Place.of(delivery.receipt) == place:
                    return rows
        # Nobody knows the message yet, or any more: its rows are those that were asked with this one.
        group = [
            other.request
            for other in (await self._look(record.request.run_id)).interrupts
            if other.request.group == record.request.group
        ]
        while group:
            together = [request.id for request in group[: await asyncio.to_thread(how_many_fit, group)]]
            if record.request.id in together:
                return together if len(together) > 1 else ()
            group = group[len(together) :]
        return ()


def receipt_of(place: Place, requests: Sequence[InterruptRequest]) -> dict[str, JsonValue]:
    """What is stored of a row: the message, and all rows that it has."""
    return {**place.receipt(), "rows": [request.id for request in requests]}


def rows_in(receipt: Mapping[str, JsonValue]) -> Sequence[str]:
    """The rows of the message that a receipt names; none where it is a message of one question."""
    rows = receipt.get("rows")
    return [row for row in rows if isinstance(row, str)] if isinstance(rows, list) else ()


def _row(record: InterruptRecord) -> Row:
    response = record.response
    return Row(request=record.request, response=None if response is None else with_reason(record, response))
