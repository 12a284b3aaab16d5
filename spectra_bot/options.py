"""The ways to answer an interrupt, and what each means."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from spectra_bot.forms import FREE_FORM, Form


class InterruptStatus(StrEnum):
    """How an interrupt ended."""

    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


DECISIONS = (InterruptStatus.APPROVED, InterruptStatus.REJECTED, InterruptStatus.ANSWERED)
"""The statuses that a person or a handler may give; the others are the runner's to give."""

_STATUS_OF_WORD = {
    **dict.fromkeys(("approve", "apply", "yes", "accept", "confirm"), InterruptStatus.APPROVED),
    **dict.fromkeys(("reject", "deny", "no", "decline"), InterruptStatus.REJECTED),
}
_STYLE_OF_STATUS: dict[InterruptStatus, Literal["primary", "danger"]] = {
    InterruptStatus.APPROVED: "primary",
    InterruptStatus.REJECTED: "danger",
}
_FORM_WORDS = frozenset({"modify", "edit"})


def _as_form(value: object) -> object:
    return Form.of(value) if isinstance(value, type) and issubclass(value, BaseModel) else value


class InterruptOption(BaseModel):
    """One way to answer: a button in Slack, a word everywhere else.

    What is not given follows from the id: its label, its status by the table of well-known words, its style by its
    status, and a free form for `modify` and `edit`. `confirm` is the text of a dialog that asks once more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]
    label: Annotated[str, Field(min_length=1, max_length=75)]
    style: Literal["primary", "danger", "default"]
    status: InterruptStatus
    form: Annotated[Form | None, BeforeValidator(_as_form)]
    confirm: Annotated[str, Field(min_length=1, max_length=300)] | None

    def __init__(  # noqa: PLR0917  by position too, as in `InterruptOption("ship", "Ship it")`
        self,
        id: str,  # noqa: A002  the field's name
        label: str | None = None,
        style: Literal["primary", "danger", "default"] | None = None,
        status: InterruptStatus | None = None,
        form: type[BaseModel] | Form | None = None,
        confirm: str | None = None,
        **unknown: object,
    ) -> None:
        word = id.lower() if isinstance(id, str) else ""
        status = status or _STATUS_OF_WORD.get(word, InterruptStatus.ANSWERED)
        super().__init__(
            id=id,
            label=label or (id.replace("_", " ").replace("-", " ").capitalize() if isinstance(id, str) else id),
            style=style or _STYLE_OF_STATUS.get(status, "default"),
            status=status,
            form=form or (FREE_FORM if word in _FORM_WORDS else None),
            confirm=confirm,
            **unknown,
        )

    @field_validator("status")
    @classmethod
    def _is_a_decision(cls, status: InterruptStatus) -> InterruptStatus:
        if status not in DECISIONS:
            raise ValueError(f"an option can't mean {status.value}; that is the runner's to say")
        return status
