"""Clicks and filled-in forms: judged, stored, then acked; then the message is brought up to date."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack import delays
from handlers.slack.attempts import Attempts, Earlier, Turns, soon
from handlers.slack.closing import Closing
from handlers.slack.considering import Considered, FormAsked, FormJudged, facts
from handlers.slack.doorkeeper import Doorkeeper
from handlers.slack.errors import SLACK_FAILURES, DeliveryError, code_of
from handlers.slack.escape import code, one_line, strong
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.messages import Place
from handlers.slack.modals import MOST_FIELDS, FormPlace, form_errors, form_modal, notice_modal
from handlers.slack.payloads import Click, Submission
from handlers.slack.verdicts import NOT_RECORDED, Verdict
from handlers.slack.whisper import Whispers
from handlers.slack.workspace import Workspace
from spectra_bot import InterruptRecord, Runner

logger = logging.getLogger(__name__)

_TOLD_WITHIN_S = 0.9
"""What is left of a click's 3 s once it is late."""
_TOLD_AT_THE_END_S = 2.0
_OPENED_WITHIN_S = 3.0
"""The trigger of a click lives for 3 s and works once."""


class Actions:
    """The listeners of a question's buttons and forms. No exception leaves them once they acked."""

    def __init__(
        self,
        *,
        runner: Runner,
        handler: SlackApprovalHandler,
        client: AsyncWebClient,
        whispers: Whispers,
        workspace: Workspace,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._closing = Closing(runner=runner, handler=handler)
        self._client = client
        self._whispers = whispers
        self._workspace = workspace
        self._considered = Considered(runner=runner, doorkeeper=doorkeeper)
        self._turns = Turns()

    async def press(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with the pressed option, or open its form."""
        click = Click.read(body)
        until = soon()
        async with self._turns.begin(
            _key(click), click.label, lambda: self._considered.click(click), until=until
        ) as attempts:
            if isinstance(attempts, Earlier):
                await self._ack_late(ack, click, delays.still_trying(strong(attempts.label), strong(click.label)))
            else:
                await self._press(ack, click, attempts, until)

    async def _press(self, ack: AsyncAck, click: Click, attempts: Attempts[FormAsked | Verdict], until: float) -> None:
        try:
            found = await attempts.outcome_by(until)
        except Exception:
            if not await self._tell(click, NOT_RECORDED, within_s=_TOLD_WITHIN_S):
                raise  # Bolt logs it and sends no ack, so that Slack shows a warning by the button
            logger.exception("click not recorded", extra=facts(click))
            await ack()
            return
        if found is None and click.button is not None and click.button.has_form:
            await self._ack_late(ack, click, delays.form_not_opened(strong(click.label)))
            return
        if found is None:
            if await self._ack_late(ack, click, delays.not_yet(strong(click.label))):
                await self._follow(click, attempts)
            return
        await ack()
        if isinstance(found, FormAsked):
            await self._open_form(click, found)
            return
        await asyncio.gather(
            self._tell(click, found.told) if found.told else _nothing(),
            self._closing.bring_up_to_date(click.place, found.record),
        )

    async def submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with a filled-in form, or say under its fields what is wrong."""
        submission = Submission.read(body)
        until = soon()
        async with self._turns.begin(
            _key(submission), submission.label, lambda: self._considered.form(submission), until=until
        ) as attempts:
            if isinstance(attempts, Earlier):  # what was typed stays where it is
                told = delays.still_trying(one_line(attempts.label, 75), one_line(submission.label, 75))
                await ack(response_action="errors", errors={"field:0": told})
            else:
                await self._submit(ack, submission, attempts, until)

    async def _submit(
        self, ack: AsyncAck, submission: Submission, attempts: Attempts[FormJudged], until: float
    ) -> None:
        try:
            judged = await attempts.outcome_by(until)
        except Exception:
            logger.exception("form not recorded", extra=facts(submission))
            await ack(response_action="errors", errors={"field:0": NOT_RECORDED})
            return
        if judged is None:
            logger.warning("answer not recorded yet", extra=facts(submission))
            told = delays.not_yet(strong(submission.label))
            await ack(response_action="update", view=notice_modal("Not recorded yet", told))
            await self._follow(submission, attempts)
            return
        form, verdict = judged.form, judged.verdict
        if verdict.is_accepted:
            await ack()
        elif form and verdict.fields:
            await ack(response_action="errors", errors=form_errors(form, verdict.fields))
        else:
            await ack(response_action="update", view=notice_modal("Nothing changed", verdict.told or NOT_RECORDED))
        await self._closing.bring_up_to_date(submission.place, verdict.record)

    async def _ack_late(self, ack: AsyncAck, click: Click, text: str) -> bool:
        """Tell first, then ack: a click that is not acked has a warning by its button.

        Returns:
            Whether it is acked. Where nobody could be told it is not, and nothing of it may go on.
        """
        logger.warning("answer not recorded yet", extra=facts(click))
        if await self._tell(click, text, within_s=_TOLD_WITHIN_S):
            await ack()
            return True
        logger.warning("answer not acked, as its giver could not be told", extra=facts(click))
        ack.response = BoltResponse(status=503)
        return False

    async def _follow(
        self, given: Click | Submission, attempts: Attempts[FormAsked | Verdict] | Attempts[FormJudged]
    ) -> None:
        """Give a late answer until something becomes of it, and tell its giver what; raises only when stopped."""
        label = strong(given.label)
        record: InterruptRecord | None = None
        has_turned_away = False
        try:
            match await attempts.outcome():
                case None:
                    logger.warning("answer given up", extra=facts(given))
                    told = delays.given_up(label, await self._link_to(given.place))
                    has_turned_away = True
                case FormAsked():
                    told = delays.form_ready(label)
                case FormJudged(verdict=verdict) | (Verdict() as verdict):
                    told = delays.recorded_now(label) if verdict.is_accepted else verdict.told or NOT_RECORDED
                    record = verdict.record
        except asyncio.CancelledError:
            logger.warning("answer not recorded before the bot stopped", extra=facts(given))
            await self._reach(given, delays.stopped(label), within_s=_TOLD_AT_THE_END_S)
            raise
        except Exception:
            logger.exception("late answer not recorded", extra=facts(given))
            told = NOT_RECORDED
        await asyncio.gather(
            self._reach(given, told, directly=has_turned_away), self._closing.bring_up_to_date(given.place, record)
        )

    async def _open_form(self, click: Click, asked: FormAsked) -> None:
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
            async with asyncio.timeout(_OPENED_WITHIN_S):
                await self._client.views_open(trigger_id=click.trigger_id, view=view)
        except SLACK_FAILURES as error:
            logger.warning("form not opened", extra={**facts(click), "slack_error": code_of(error)})
            await self._tell(click, "⚠️ The form did not open. Nothing changed; please click again.")

    async def _tell(self, given: Click | Submission, text: str, *, within_s: float = 10.0) -> bool:
        """Show it to them alone, where they clicked; whether Slack took it."""
        channel = given.place.channel if given.place else ""
        url = given.response_url if isinstance(given, Click) else ""
        try:
            return await self._whispers.tell(
                text, response_url=url, channel=channel, user=given.person.user, within_s=within_s
            )
        except Exception:
            logger.exception("private message failed", extra=facts(given))
            return False

    async def _reach(
        self, given: Click | Submission, text: str, *, directly: bool = False, within_s: float = 10.0
    ) -> None:
        """Tell it where they clicked, or directly: first in the one way, and where that fails in the other.

        What is shown to one person alone is gone when Slack is loaded anew, and a direct message is not.
        """
        if directly and await self._whispers.write(text, user=given.person.user, within_s=within_s):
            return
        if not await self._tell(given, text, within_s=within_s) and not directly:
            await self._whispers.write(text, user=given.person.user, within_s=within_s)

    async def _link_to(self, place: Place | None) -> str | None:
        try:
            return await self._workspace.link_to(place.channel, place.ts) if place else None
        except DeliveryError:
            return None


def _key(given: Click | Submission) -> tuple[str, str]:
    """Which question somebody answers, and who."""
    named = given.button if isinstance(given, Click) else given.form
    return named.interrupt_id if named else "", given.person.identity


async def _nothing() -> None:
    return None
