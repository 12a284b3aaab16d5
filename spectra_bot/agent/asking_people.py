"""The tool with which an agent asks people by itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spectra_bot.extras import how_to_install

try:  # this module is the first of its package to be imported
    from pydantic_ai.tools import RunContext
except ModuleNotFoundError as error:
    if (said := how_to_install(error)) is None:
        raise
    raise ImportError(said) from error

from spectra_bot.context import StepContext
from spectra_bot.errors import InterruptTimedOutError
from spectra_bot.forms import FieldKind, Form, FormField
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.options import InterruptOption, InterruptStatus

_ANSWER = Form(fields=(FormField(name="answer", label="Answer", kind=FieldKind.TEXT, multiline=True),))


async def ask_human(
    ctx: RunContext[StepContext],
    question: Annotated[str, Field(min_length=1, max_length=3000)],
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=75)]], Field(max_length=5)] = [],  # noqa: B006
) -> str:
    """Ask a person, and wait for the answer. Use it when you can't know something or must not decide it alone.

    Args:
        question: what you want to know, with all that is needed to answer it.
        options: the answers to choose from; leave it empty to have the answer written.
    """
    choices = [
        InterruptOption(f"option {number}", label, "default", InterruptStatus.ANSWERED)
        for number, label in enumerate(options, start=1)
    ]
    labels = {choice.id: choice.label for choice in choices}
    request = InterruptRequest(reason=question, options=choices or [InterruptOption("answer", form=_ANSWER)])
    try:
        response = await ctx.deps.interrupt(request)
    except InterruptTimedOutError:
        return "Nobody answered in time."
    who = response.responder or "Somebody"
    said = labels.get(response.option or "") or str(response.data.get("answer", response.option))
    return f"{who} answered: {said}{f' ({response.notes})' if response.notes else ''}"
