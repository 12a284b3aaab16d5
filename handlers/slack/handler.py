"""The handler that asks people in Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.blocks import approval, closed
from handlers.slack.copies import Copies, metadata_of
from handlers.slack.errors import GONE, SLACK_FAILURES, DeliveryError, code_of, delivery_error, in_short
from handlers.slack.escape import code, escaped_line
from handlers.slack.groups import GroupMessages, Look, receipt_of, rows_in
from handlers.slack.layout import Message, context, section
from handlers.slack.messages import Messages, Place
from handlers.slack.outcome import outcome
from handlers.slack.people import slack_user
from handlers.slack.rows import how_many_fit
from spectra_bot import Delivered, InterruptRecord, InterruptRequest, InterruptResponse, RunResult, redact

logger = logging.getLogger(__name__)

MOST_TOLD = 10_000
"""So many of those who were told that a question could not be posted are remembered."""
_NOTHING_TO_CHANGE = GONE | {"channel_not_found", "not_in_channel", "is_archived"}


class SlackApprovalHandler:
    """Posts each question to its channel, with a button for each option, and closes it when it is over.

    The channel is the request's, as the runner resolved it, else `default_channel`. Clicks come back through
    `build_slack_app`.

    Args:
        default_channel: where a question goes that has no channel; an id such as `C012AB3CD`.
        command: the slash command that people type, for what messages tell them to do.
        name: under which receipts are stored; only two Slack handlers in one runner need another.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        default_channel: str | None = None,
        command: str = "/spectra",
        name: str = "slack",
    ) -> None:
        self.name = name
        self.messages = Messages(client)
        self._client = client
        self._copies = Copies(client)
        self._default_channel = default_channel
        self._command = command
        self._told: set[tuple[str, str]] = set()
        self.look: Look | None = None
        """How runs stand; None while it is registered with no open runner."""
        self._groups: GroupMessages | None = None

    def look_with(self, look: Look) -> None:
        """Take the way to see how runs stand: without it each question has a message of its own."""
        self.look = look
        self._groups = GroupMessages(self.messages, self._copies, handler=self.name, look=look)

    async def handle(self, request: InterruptRequest) -> Delivered:
        """Post the question.

        Returns:
            Its place, as `{"channel": ..., "ts": ...}`.

        Raises:
            DeliveryError: it could not be posted. Where somebody must do something about it, the one who started the
                run was told so in private.
        """
        return await self._deliver(request)

    async def handle_again(self, request: InterruptRequest, lost: Mapping[str, JsonValue] | None) -> Delivered:
        """Post the question, unless it stands already, where the bot may look (`channels:history`).

        Raises:
            DeliveryError: as `handle` does, or it could not be looked for.
        """
        channel = request.channel or self._default_channel
        found = await self._copies.find(channel, request, but=Place.of(lost)) if channel else None
        if found is None:
            return await self._deliver(request, was_removed=lost is not None)
        extra = {"run_id": request.run_id, "interrupt_id": request.id, "channel": found.channel}
        logger.info("interrupt found where it stands", extra=extra)
        return Delivered(found.receipt())

    async def handle_group(self, requests: Sequence[InterruptRequest], *, again: bool) -> Mapping[str, Delivered]:
        """Post questions in one message with a row for each, as many as fit.

        Raises:
            DeliveryError: as `handle` does, or they could not be looked for.
        """
        first = requests[0]
        channel = first.channel or self._default_channel
        together = [request for request in requests if (request.channel or self._default_channel) == channel]
        taken = together[: await asyncio.to_thread(how_many_fit, together)]
        if self._groups is None or channel is None or len(taken) == 1:
            return {first.id: await (self.handle_again(first, None) if again else self.handle(first))}
        try:
            place = await self._groups.post(channel, taken, again=again)
        except DeliveryError as error:
            if error.is_for_good:
                await self._tell_starter(first, error)
            raise
        extra = {"run_id": first.run_id, "interrupt_id": first.id, "channel": place.channel, "rows": len(taken)}
        logger.info("interrupts delivered together", extra=extra)
        return {request.id: Delivered(receipt_of(place, taken)) for request in taken}

    async def show_rows(self, place: Place, record: InterruptRecord) -> bool:
        """Bring a message up to date in which a row was clicked; False where it is a message of one question."""
        rows = await self._groups.rows_at(place, record) if self._groups else ()
        if not rows or self._groups is None:
            return False
        await self._groups.show(place, record.request.run_id, rows)
        return True

    async def stands(self, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> bool:
        """Tell whether the message is still there. A channel that is closed to the bot does not say so.

        Raises:
            DeliveryError: Slack does not tell; ask again later.
        """
        place = Place.of(receipt)
        if place is None:
            return True
        try:
            await self._client.chat_getPermalink(channel=place.channel, message_ts=place.ts)
        except SLACK_FAILURES as error:
            if code_of(error) == "message_not_found":
                return False
            found = delivery_error(error, place.channel)
            why = str(found) if found.is_for_good else found.code or in_short(error)
            raise DeliveryError(
                f"can't tell whether the message still stands: {why}",
                code=found.code,
                channel=place.channel,
                retry_after_s=found.retry_after_s,
            ) from error
        return True

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        """Show how the question ended: buttons gone, who and when. May be called again.

        Raises:
            DeliveryError: Slack did not take it; call again later.
        """
        place = Place.of(receipt)
        if place is None:
            return
        try:
            if (rows := rows_in(receipt)) and self._groups is not None:
                await self._groups.show(place, request.run_id, rows)
            else:
                await self.messages.change(place, lambda bare: closed(request, response, bare=bare), is_final=True)
        except DeliveryError as error:
            if error.code not in _NOTHING_TO_CHANGE:
                raise
            extra = {"run_id": request.run_id, "interrupt_id": request.id, "slack_error": error.code}
            logger.warning("message was gone when it was to be settled", extra=extra)

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        """Tell in the question's thread how the run ended.

        Slack has no way to post once only: called again after a crash, it may post again.

        Raises:
            DeliveryError: Slack did not take it; call again later.
        """
        place = Place.of(receipt)
        if place is None:
            return
        try:
            await self.messages.post(
                place.channel, lambda _: outcome(result, command=self._command), thread_ts=place.ts
            )
        except DeliveryError as error:
            if error.code not in _NOTHING_TO_CHANGE:
                raise
            extra = {"run_id": result.run_id, "interrupt_id": request.id, "slack_error": error.code}
            logger.warning("thread was gone when its run ended", extra=extra)

    async def _deliver(self, request: InterruptRequest, *, was_removed: bool = False) -> Delivered:
        try:
            place = await self._post(request, was_removed=was_removed)
        except DeliveryError as error:
            if error.is_for_good:
                await self._tell_starter(request, error)
            raise
        extra = {"run_id": request.run_id, "interrupt_id": request.id, "channel": place.channel}
        logger.info("interrupt delivered", extra=extra)
        return Delivered(place.receipt())

    async def _post(self, request: InterruptRequest, *, was_removed: bool) -> Place:
        channel = request.channel or self._default_channel
        if not channel:
            raise DeliveryError(
                "there is no channel to ask in: give the workflow or the request a channel=, "
                f"start the run with {self._command} in a channel, or set SPECTRA_CHANNEL",
                code="no_channel",
                is_for_good=True,
            )
        return await self.messages.post(
            channel,
            lambda bare: approval(request, bare=bare, was_removed=was_removed),
            metadata=metadata_of(request),
        )

    async def _tell_starter(self, request: InterruptRequest, error: DeliveryError) -> None:
        """Tell the one who started the run, once for each interrupt and reason."""
        extra = {"run_id": request.run_id, "interrupt_id": request.id, "slack_error": error.code}
        logger.warning("interrupt not delivered", extra=extra)
        user = slack_user(request.requested_by)
        if user is None or (request.id, error.code) in self._told:
            return
        message = _not_asked(request, error)
        try:
            await self._client.chat_postMessage(channel=user, text=message.text, blocks=list(message.blocks))
        except SLACK_FAILURES as failure:
            logger.warning("starter not told", extra={**extra, "slack_error": code_of(failure)})
        else:
            if len(self._told) >= MOST_TOLD:
                self._told.clear()  # they are told once more, at worst
            self._told.add((request.id, error.code))


def _not_asked(request: InterruptRequest, error: DeliveryError) -> Message:
    """What the starter of a run is told when its question could not be posted. Pure."""
    line = f"⚠️ Your run {code(request.run_id)} of {code(request.workflow)} waits for an answer, and I could not ask."
    why = escaped_line(str(error), 800)
    asked = escaped_line(redact(request.reason), 300)
    where = f" (<#{request.channel}>)" if _is_channel_id(request.channel) else ""
    blocks = (
        section(f"{line}\n*Why:* {why}{where}\n*The question:* {asked}"),
        context("I keep trying, so there is nothing to start again once it is put right."),
    )
    return Message(text=f"{line} {why}", blocks=blocks)


def _is_channel_id(channel: str | None) -> bool:
    return bool(channel) and channel is not None and channel.isascii() and channel.isalnum() and channel[0] in "CG"
