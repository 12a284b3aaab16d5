"""What a click or a filled-in form comes to: asked of the judge, and stored where it is accepted."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from handlers.slack.doorkeeper import Doorkeeper
from handlers.slack.modals import read_form
from handlers.slack.payloads import Click, Submission
from handlers.slack.verdicts import Verdict, decide, refusal, unknown
from spectra_bot import Form, InterruptOption, InterruptRequest, Runner, UnknownInterruptError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormAsked:
    """A click on an option whose form is this person's to fill in."""

    request: InterruptRequest
    option: InterruptOption
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class FormJudged:
    """What a filled-in form comes to."""

    verdict: Verdict
    form: Form | None = None


class Considered:
    """Brings what people do before the runner. The same again is the same answer, so that it counts once."""

    def __init__(self, *, runner: Runner, doorkeeper: Doorkeeper) -> None:
        self._runner = runner
        self._doorkeeper = doorkeeper

    async def click(self, click: Click) -> FormAsked | Verdict:
        """What a click comes to: a form to open, or a verdict, which is stored when it is accepted."""
        if stranger := await self._doorkeeper.refusal(click.person):
            return Verdict(told=stranger)
        if click.button is None:
            logger.warning("answer refused: unknown button", extra=facts(click))
            return Verdict(told=unknown("without an id"))
        try:
            record = await self._runner.get_interrupt(click.button.interrupt_id)
        except UnknownInterruptError:
            logger.warning("answer refused: unknown interrupt", extra=facts(click))
            return Verdict(told=unknown(click.button.interrupt_id))
        option = record.request.option(click.button.option_id)
        if option is None or option.form is None:
            return await decide(self._runner, record, click.button.option_id, responder=click.person.identity)
        if told := refusal(record, click.person.identity):
            logger.info("form refused", extra={**facts(click), "run_id": record.request.run_id})
            return Verdict(told=told, record=record)
        return FormAsked(request=record.request, option=option, form=option.form)

    async def form(self, submission: Submission) -> FormJudged:
        """What a filled-in form comes to; it is stored when it is accepted."""
        if stranger := await self._doorkeeper.refusal(submission.person):
            return FormJudged(verdict=Verdict(told=stranger))
        if submission.form is None:
            logger.warning("answer refused: unknown form", extra=facts(submission))
            return FormJudged(verdict=Verdict(told=unknown("without an id")))
        try:
            record = await self._runner.get_interrupt(submission.form.interrupt_id)
        except UnknownInterruptError:
            logger.warning("answer refused: unknown interrupt", extra=facts(submission))
            return FormJudged(verdict=Verdict(told=unknown(submission.form.interrupt_id)))
        option = record.request.option(submission.form.option_id)
        form = option.form if option else None
        data = read_form(form, submission.values) if form else {}
        verdict = await decide(
            self._runner, record, submission.form.option_id, responder=submission.person.identity, data=data
        )
        return FormJudged(form=form, verdict=verdict)


def facts(given: Click | Submission) -> dict[str, str]:
    """What is logged of it."""
    named = given.button if isinstance(given, Click) else given.form
    by = {"by": given.person.identity}
    return by if named is None else {**by, "interrupt_id": named.interrupt_id, "option": named.option_id}
