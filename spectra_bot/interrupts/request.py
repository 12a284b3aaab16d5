"""A pause that waits for a person: the request that asks, and the response, which name each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from spectra_bot.differences import Difference, differences
from spectra_bot.errors import InvalidAnswerError
from spectra_bot.interrupts.fields import Approvers, Differences, JsonObject, Options, Text
from spectra_bot.json_values import digest
from spectra_bot.options import InterruptOption, InterruptStatus


def _by_label(difference: Difference, labels: dict[str, str]) -> Difference:
    """An option that came or went is told by what its button says."""
    label = labels.get(difference.path)
    if label is None or difference.kind == "changed":
        return difference
    return difference.model_copy(update={"before" if difference.kind == "removed" else "after": label})


class InterruptRequest(BaseModel):
    """The question: what a step asks of people.

    The first nine fields are the step's to give; the rest is stamped by the runner when the interrupt is stored.
    `data` is whatever pydantic can write as a JSON object, and is held as JSON. `approvers` names who may decide
    (plain ids are Slack users); empty is anyone who can see it. `timeout` counts from the moment it is stored.
    Questions with the same `group` that one execution of a step asks are shown together, where a handler can do that;
    stored, it is the id of the first of them, and None where there is only one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=3000)]
    data: JsonObject = Field(default_factory=dict)
    options: Options = (InterruptOption("approve"), InterruptOption("reject"))
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    default_option: Text | None = None
    approvers: Approvers = ()
    channel: Text | None = None
    key: Text | None = None
    group: Text | None = None

    id: str = ""
    run_id: str = ""
    workflow: str = ""
    step: str = ""
    requested_by: str | None = None
    created_at: datetime | None = None
    deadline: datetime | None = None
    digest: str = ""
    replaces: str | None = None
    """The interrupt that this one stands in for, because the question changed."""
    changed: Differences = ()
    """What is different from the question it replaces, field by field: `reason`, `options.modify`, `data.plan.env`."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            reason: str,
            data: Mapping[str, Any] = ...,
            options: Iterable[str | InterruptOption] = ...,
            timeout: timedelta | None = ...,
            default_option: str | None = ...,
            approvers: Iterable[str] = ...,
            channel: str | None = ...,
            key: str | None = ...,
            group: str | None = ...,
        ) -> None: ...

    @model_validator(mode="after")
    def _options_make_sense(self) -> Self:
        ids = [option.id for option in self.options]
        twice = {name for name in ids if ids.count(name) > 1}
        if twice:
            raise ValueError(f"options: {', '.join(sorted(twice))} is offered twice")
        if self.default_option is not None and self.default_option not in ids:
            raise ValueError(f"default_option: {self.default_option!r} is not one of {', '.join(ids)}")
        if self.default_option is not None and self.timeout is None:
            raise ValueError("default_option: it applies when time runs out, so give a timeout too")
        return self

    @classmethod
    def builder(cls) -> InterruptRequestBuilder:
        """Start a request in the builder's style."""
        return InterruptRequestBuilder()

    def option(self, option_id: str) -> InterruptOption | None:
        """The offered option of that id."""
        return next((option for option in self.options if option.id == option_id), None)

    def content_digest(self) -> str:
        """What an answer is bound to: a digest of reason, data and options."""
        return digest([self.reason, self.data, [option.model_dump(mode="json") for option in self.options]])

    def differences(self, before: InterruptRequest) -> tuple[Difference, ...]:
        """What is different from an earlier question, of what an answer is bound to."""
        labels = {**before._labels(), **self._labels()}
        found = tuple(_by_label(difference, labels) for difference in differences(before._shown(), self._shown()))
        one, other = [option.id for option in before.options], [option.id for option in self.options]
        if one != other and sorted(one) == sorted(other):
            found = (*found, Difference(path="options", before=", ".join(one), after=", ".join(other)))
        return found

    def _shown(self) -> dict[str, JsonValue]:
        options: dict[str, JsonValue] = {option.id: option.model_dump(mode="json") for option in self.options}
        return {"reason": self.reason, "data": self.data, "options": options}

    def _labels(self) -> dict[str, str]:
        return {f"options.{option.id}": option.label for option in self.options}

    def answer(
        self,
        option_id: str,
        *,
        data: Mapping[str, JsonValue] | None = None,
        notes: str | None = None,
        responder: str | None = None,
    ) -> InterruptResponse:
        """The response that picks one of the offered options.

        Raises:
            InvalidAnswerError: that option is not offered.
        """
        option = self.option(option_id)
        if option is None:
            offered = ", ".join(offer.id for offer in self.options)
            raise InvalidAnswerError(f"{option_id!r} is not offered here; choose one of: {offered}")
        return InterruptResponse(
            status=option.status,
            option=option.id,
            data=dict(data or {}),
            notes=notes,
            responder=responder,
            interrupt_id=self.id or None,
        )


class InterruptRequestBuilder:
    """Builds an `InterruptRequest` a part at a time; equal to the one made by keywords."""

    def __init__(self) -> None:
        self._data: dict[str, object] = {}
        self._rest: dict[str, object] = {}

    def with_reason(self, reason: str) -> Self:
        return self._with("reason", reason)

    def with_data(self, key: str, value: object) -> Self:
        self._data[key] = value
        return self

    def with_options(self, *options: str | InterruptOption) -> Self:
        return self._with("options", options)

    def with_timeout(self, timeout: timedelta) -> Self:
        return self._with("timeout", timeout)

    def with_default_option(self, option_id: str) -> Self:
        return self._with("default_option", option_id)

    def with_approvers(self, *approvers: str) -> Self:
        return self._with("approvers", approvers)

    def with_channel(self, channel: str) -> Self:
        return self._with("channel", channel)

    def with_key(self, key: str) -> Self:
        return self._with("key", key)

    def with_group(self, group: str) -> Self:
        return self._with("group", group)

    def build(self) -> InterruptRequest:
        """The request.

        Raises:
            pydantic.ValidationError: no reason, an option twice, or another field that does not fit.
        """
        return InterruptRequest.model_validate({**self._rest, "data": self._data})

    def _with(self, field: str, value: object) -> Self:
        self._rest[field] = value
        return self


class InterruptResponse(BaseModel):
    """The answer: what was decided, by whom and when.

    Without an `option` it is the one offered option of that status. `responder` is an identity that the surface has
    verified: `slack:T1/U1`, `cli:login`, `handler:name`. The runner stamps `interrupt_id` and `responded_at`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: InterruptStatus
    data: JsonObject = Field(default_factory=dict)
    option: Text | None = None
    notes: Text | None = None
    responder: Text | None = None
    interrupt_id: str | None = None
    responded_at: datetime | None = None
    superseded_by: str | None = None
    """The newer interrupt, where the question changed after this answer; it does not count any more."""
    request: InterruptRequest | None = Field(default=None, repr=False)
    """The question as it was answered; set where a step reads the response, never stored twice."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            status: InterruptStatus,
            data: Mapping[str, Any] = ...,
            option: str | None = ...,
            notes: str | None = ...,
            responder: str | None = ...,
            interrupt_id: str | None = ...,
            responded_at: datetime | None = ...,
            request: InterruptRequest | None = ...,
        ) -> None: ...

    @property
    def approved(self) -> bool:
        """The option that applies, a default included, means approval."""
        return self._applies() is InterruptStatus.APPROVED

    @property
    def rejected(self) -> bool:
        """The option that applies, a default included, means rejection."""
        return self._applies() is InterruptStatus.REJECTED

    def _applies(self) -> InterruptStatus:
        offered = self.request.option(self.option) if self.request and self.option else None
        if self.status is InterruptStatus.TIMED_OUT and self.option:
            return offered.status if offered else InterruptOption(self.option).status
        return self.status


class InterruptException(BaseException):
    """Raised by a step to ask and stop; a `BaseException`, so that `except Exception` does not swallow a question."""

    def __init__(self, request: InterruptRequest) -> None:
        self.request = request
        super().__init__(request.reason)
