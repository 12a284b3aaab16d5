"""The tool with which an agent asks people by itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from spectra_bot.extras import how_to_install

try:  # this module is the first of its package to be imported
    from pydantic_ai.exceptions import ModelRetry
    from pydantic_ai.tools import RunContext
except ModuleNotFoundError as error:
    if (said := how_to_install(error)) is None:
        raise
    raise ImportError(said) from error

from spectra_bot.agent.tools import calling
from spectra_bot.errors import InterruptTimedOutError
from spectra_bot.forms import FieldKind, Form, FormField
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.options import InterruptOption, InterruptStatus

MOST_FIELDS = 10
_ANSWER = Form(fields=(FormField(name="answer", label="Answer", kind=FieldKind.TEXT, multiline=True),))


class Wanted(BaseModel):
    """One field of the form that the answer is to fill in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
    label: Annotated[str, Field(max_length=100, description="what stands above the field; the name without one")] = ""
    kind: Literal["text", "number", "integer", "boolean"] = "text"

    def as_field(self) -> FormField:
        """The same, as people are shown it."""
        return FormField(name=self.name, label=self.label or self.name, kind=FieldKind(self.kind))


async def ask_human(
    ctx: RunContext[Any],
    question: Annotated[str, Field(min_length=1, max_length=3000)],
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=75)]], Field(max_length=5)] = [],  # noqa: B006
    form: Annotated[list[Wanted], Field(max_length=MOST_FIELDS)] = [],  # noqa: B006
) -> str:
    """Ask a person, and wait for the answer. Use it when you can't know something or must not decide it alone.

    Args:
        question: what you want to know, with all that is needed to answer it.
        options: the answers to choose from; leave it empty to have the answer written.
        form: what the answer has to tell beside that; leave it empty for none.
    """
    if len({field.name for field in form}) < len(form):
        raise ModelRetry("Give each field of the form a name of its own.")
    asked_for = Form(fields=tuple(field.as_field() for field in form)) if form else None
    choices = [
        InterruptOption(f"option {number}", label, "default", InterruptStatus.ANSWERED, form=asked_for)
        for number, label in enumerate(options, start=1)
    ]
    labels = {choice.id: choice.label for choice in choices}
    request = InterruptRequest(
        reason=question, options=choices or [InterruptOption("answer", form=asked_for or _ANSWER)]
    )
    try:
        response = await calling.get(ctx.deps).interrupt(request)
    except InterruptTimedOutError:
        return "Nobody answered in time."
    who = response.responder or "Somebody"
    said = labels.get(response.option or "") or str(response.data.get("answer", response.option))
    if form:
        filled = to_json({field.name: response.data.get(field.name) for field in form}).decode()
        said = f"{said}, {filled}" if choices else filled
    return f"{who} answered: {said}{f' ({response.notes})' if response.notes else ''}"
