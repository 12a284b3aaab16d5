"""Clicks and filled-in forms: judged, stored, then acked; then the message is brought up to date."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.blocks import closed
from handlers.slack.doorkeeper import Doorkeeper
from handlers.slack.errors import SLACK_FAILURES, DeliveryError, code_of
from handlers.slack.escape import code
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.messages import Place
from handlers.slack.modals import MOST_FIELDS, FormPlace, form_errors, form_modal, notice_modal, read_form
from handlers.slack.payloads import Click, Submission
from handlers.slack.verdicts import NOT_RECORDED, Verdict, decide, refusal, unknown, with_reason
from handlers.slack.whisper import Whispers
from spectra_bot import Form, InterruptOption, InterruptRecord, InterruptRequest, Runner, UnknownInterruptError

logger = logging.getLogger(__name__)

_WITHIN_S = 1.5
"""A click has 3 s in all: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FormAsked:
    """A click on an option whose form is this person's to fill in."""

    request: InterruptRequest
    option: InterruptOption
    form: Form


class Actions:
    """The listeners of a question's buttons and forms. No exception leaves them once they acked."""

    def __init__(
        self,
        *,
        runner: Runner,
        handler: SlackApprovalHandler,
        client: AsyncWebClient,
        whispers: Whispers,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._runner = runner
        self._handler = handler
        self._client = client
        self._whispers = whispers
        self._doorkeeper = doorkeeper

    async def press(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with the pressed option, or open its form."""
        click = Click.read(body)
        try:
            found = await self._consider(click)
        except Exception:
            if not await self._tell(click, NOT_RECORDED, within_s=_WITHIN_S):
                raise  # Bolt logs it and sends no ack, so that Slack shows a warning by the button
            logger.exception("click not recorded", extra=_facts(click))
            await ack()
            return
        await ack()
        if isinstance(found, _FormAsked):
            await self._open_form(click, found)
            return
        await asyncio.gather(
            self._tell(click, found.told) if found.told else _nothing(),
            self._bring_up_to_date(click.place, found.record),
        )

    async def submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with a filled-in form, or say under its fields what is wrong."""
        submission = Submission.read(body)
        try:
            form, verdict = await self._judge_form(submission)
        except Exception:
            logger.exception("form not recorded", extra=_facts(submission))
            await ack(response_action="errors", errors={"field:0": NOT_RECORDED})
            return
        if verdict.is_accepted:
            await ack()
        elif form and verdict.fields:
            await ack(response_action="errors", errors=form_errors(form, verdict.fields))
        else:
            await ack(response_action="update", view=notice_modal("Nothing changed", verdict.told or NOT_RECORDED))
        await self._bring_up_to_date(submission.place, verdict.record)

    async def _consider(self, click: Click) -> _FormAsked | Verdict:
        """What a click comes to: a form to open, or a verdict, which is stored when it is accepted."""
        if stranger := await self._doorkeeper.refusal(click.person):
            return Verdict(told=stranger)
        if click.button is None:
            logger.warning("answer refused: unknown button", extra=_facts(click))
            return Verdict(told=unknown("without an id"))
        try:
            record = await self._runner.get_interrupt(click.button.interrupt_id)
        except UnknownInterruptError:
            logger.warning("answer refused: unknown interrupt", extra=_facts(click))
            return Verdict(told=unknown(click.button.interrupt_id))
        option = record.request.option(click.button.option_id)
        if option is None or option.form is None:
            return await decide(self._runner, record, click.button.option_id, responder=click.person.identity)
        if told := refusal(record, click.person.identity):
            logger.info("form refused", extra={**_facts(click), "run_id": record.request.run_id})
            return Verdict(told=told, record=record)
        return _FormAsked(request=record.request, option=option, form=option.form)

    async def _judge_form(self, submission: Submission) -> tuple[Form | None, Verdict]:
        if stranger := await self._doorkeeper.refusal(submission.person):
            return None, Verdict(told=stranger)
        if submission.form is None:
            logger.warning("answer refused: unknown form", extra=_facts(submission))
            return None, Verdict(told=unknown("without an id"))
        try:
            record = await self._runner.get_interrupt(submission.form.interrupt_id)
        except UnknownInterruptError:
            logger.warning("answer refused: unknown interrupt", extra=_facts(submission))
            return None, Verdict(told=unknown(submission.form.interrupt_id))
        option = record.request.option(submission.form.option_id)
        form = option.form if option else None
        data = read_form(form, submission.values) if form else {}
        verdict = await decide(
            self._runner, record, submission.form.option_id, responder=submission.person.identity, data=data
        )
        return form, verdict

    async def _open_form(self, click: Click, asked: _FormAsked) -> None:
        """Open the modal; the trigger of a click lives for 3 s and works once."""
        if len(asked.form.fields) > MOST_FIELDS:
            how = code(f"spectra-bot answer {asked.request.id} {asked.option.id} --data JSON")
            await self._tell(click, f"This form has more fields than Slack can show. Answer with {how}.")
            return
        place = FormPlace(
            interrupt_id=asked.request.id,
            option_id=asked.option.id,
            channel=click.place.channel if click.place else "",
            ts=click.place.ts if click.place else "",
        )
        view = form_modal(asked.request, asked.option, asked.form, place)
        try:
            async with asyncio.timeout(_WITHIN_S * 2):
                await self._client.views_open(trigger_id=click.trigger_id, view=view)
        except SLACK_FAILURES as error:
            logger.warning("form not opened", extra={**_facts(click), "slack_error": code_of(error)})
            await self._tell(click, "⚠️ The form did not open. Nothing changed; please click again.")

    async def _tell(self, click: Click, text: str, *, within_s: float = 10.0) -> bool:
        channel = click.place.channel if click.place else ""
        try:
            return await self._whispers.tell(
                text, response_url=click.response_url, channel=channel, user=click.person.user, within_s=within_s
            )
        except Exception:
            logger.exception("private message failed", extra=_facts(click))
            return False

    async def _bring_up_to_date(self, place: Place | None, record: InterruptRecord | None) -> None:
        """Close the message that was clicked, also where it is an old copy of the question."""
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
        is_working = _will_be_settled(record, self._handler.name, place)
        await self._change(place, record, is_working=is_working)
        if is_working:
            now = await self._runner.get_interrupt(record.request.id)
            if not _will_be_settled(now, self._handler.name, place):
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


def _facts(given: Click | Submission) -> dict[str, str]:
    named = given.button if isinstance(given, Click) else given.form
    facts = {"by": given.person.identity}
    if named is not None:
        facts |= {"interrupt_id": named.interrupt_id, "option": named.option_id}
    return facts


async def _nothing() -> None:
    return None
