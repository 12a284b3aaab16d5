"""A message whose question was just answered or clicked too late: brought up to date before the outbox does it."""

from __future__ import annotations

import logging

from handlers.slack.blocks import closed
from handlers.slack.errors import DeliveryError
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.messages import Place
from handlers.slack.verdicts import with_reason
from spectra_bot import InterruptRecord, Runner, SpectraError

logger = logging.getLogger(__name__)


class Closing:
    """Shows in the clicked message how its question ended."""

    def __init__(self, *, runner: Runner, handler: SlackApprovalHandler) -> None:
        self._runner = runner
        self._handler = handler

    async def bring_up_to_date(self, place: Place | None, record: InterruptRecord | None) -> None:
        """Close the message that was clicked, also where it is an old copy of the question. Raises nothing."""
        if place is None or record is None or record.response is None:
            return
        extra = {"run_id": record.request.run_id, "interrupt_id": record.request.id}
        try:
            await self._show(place, record)
        except DeliveryError as error:
            # The outbox settles the message later, however long Slack is away.
            logger.warning("message not brought up to date", extra={**extra, "slack_error": error.code})
        except Exception:
            logger.exception("message not brought up to date", extra=extra)

    async def _show(self, place: Place, record: InterruptRecord) -> None:
        """Show that it is decided, and that the run goes on, until the outbox settles the message for good."""
        if await self._handler.show_rows(place, record):
            return
        is_working = _will_be_settled(record, self._handler.name, place)
        await self._change(place, record, is_working=is_working)
        if is_working:
            try:
                is_settled = not _will_be_settled(
                    await self._runner.get_interrupt(record.request.id), self._handler.name, place
                )
            except SpectraError:  # nobody can say, and the last form is true in any case
                is_settled = True
            if is_settled:
                # Another process settled it before us, and we have just put the earlier form over its last one.
                await self._change(place, record, is_working=False)

    async def _change(self, place: Place, record: InterruptRecord, *, is_working: bool) -> None:
        response = record.response
        if response is None:
            return
        shown = with_reason(record, response)
        await self._handler.messages.change(
            place,
            lambda bare: closed(record.request, shown, working=is_working, bare=bare),
            is_final=not is_working,
        )


def _will_be_settled(record: InterruptRecord, handler: str, place: Place) -> bool:
    """The message is the one that the outbox knows, and it has not been settled yet."""
    return any(
        delivery.handler == handler and delivery.settled_at is None and Place.of(delivery.receipt) == place
        for delivery in record.deliveries
    )
