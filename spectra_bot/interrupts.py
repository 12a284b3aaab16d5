"""A pause that waits for a person: the request, the response, and who puts it in front of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self, runtime_checkable

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from spectra_bot.differences import Difference, differences
from spectra_bot.errors import InvalidAnswerError
from spectra_bot.json_values import digest, in_order, to_json_object
from spectra_bot.options import InterruptOption, InterruptStatus

Text = Annotated[str, StringConstraints(min_length=0)]
"""A text that can be stored; without a constraint pydantic lets half a surrogate pair pass."""

MAX_OPTIONS = 25
"""As many as one row of Slack buttons holds."""


def _as_options(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("options is a list of words, not one word")
    if isinstance(value, Iterable):
        return tuple(InterruptOption(option) if isinstance(option, str) else option for option in value)
    return value


def _as_approvers(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("approvers is a list of ids, not one id")
    return value


def _as_data(value: object) -> object:
    return to_json_object(in_order(value), "data")


JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_as_data)]


def _as_difference(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value  # as version 0.1 stored it


def _by_label(difference: Difference, labels: dict[str, str]) -> Difference:
    """An option that came or went is told by what its button says."""
    label = labels.get(difference.path)
    if label is None or difference.kind == "changed":
        return difference
    return difference.model_copy(update={"before" if difference.kind == "removed" else "after": label})


class InterruptRequest(BaseModel):
    """The question: what a step asks of people.

    The first eight fields are the step's to give; the rest is stamped by the runner when the interrupt is stored.
    `data` is whatever pydantic can write as a JSON object, and is held as JSON. `approvers` names who may decide
    (plain ids are Slack users); empty is anyone who can see it. `timeout` counts from the moment it is stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=3000)]
    data: JsonObject = Field(default_factory=dict)
    options: Annotated[
        tuple[InterruptOption, ...], BeforeValidator(_as_options), Field(min_length=1, max_length=MAX_OPTIONS)
    ] = (InterruptOption("approve"), InterruptOption("reject"))
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    default_option: Text | None = None
    approvers: Annotated[tuple[Text, ...], BeforeValidator(_as_approvers)] = ()
    channel: Text | None = None
    key: Text | None = None

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
    changed: tuple[Annotated[Difference, BeforeValidator(_as_difference)], ...] = ()
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


class Delivered(BaseModel):
    """A handler's word that the request stands in front of people, with what it needs to find it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt: JsonObject

    def __init__(self, receipt: Mapping[str, Any]) -> None:
        super().__init__(receipt=receipt)


class IInterruptHandler(Protocol):
    """A way to ask people, or to answer for them.

    A handler may also have a `name` (default: its class name; unique in a runner), and the methods of
    `SettlesInterrupts`, `DeliversAgain`, `ChecksDeliveries` and `ConcludesRuns`.
    """

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered | None:
        """Answer the request, or put it in front of people.

        Called after the interrupt is stored; cancelled when it is answered elsewhere. What it returns all the same is
        stored, so that a message whose post had begun is closed too. One that raises leaves the interrupt pending and
        is called again later.

        Returns:
            An answer; or `Delivered` with a receipt, or None: a person will answer later.
        """
        ...


@runtime_checkable
class SettlesInterrupts(Protocol):
    """A handler that closes what it delivered."""

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        """Show that the interrupt is over; called until it returns, so it must bear repetition."""
        ...


@runtime_checkable
class DeliversAgain(Protocol):
    """A handler that does something else where it may have delivered before."""

    async def handle_again(
        self, request: InterruptRequest, lost: Mapping[str, JsonValue] | None
    ) -> InterruptResponse | Delivered | None:
        """Do as `handle` does, instead of it, where an earlier call may have delivered the request.

        Its call failed, its process died before the receipt was stored, or what it had delivered is gone.

        Args:
            lost: the receipt of what is gone; None where nothing is known of the earlier call.
        """
        ...


@runtime_checkable
class ChecksDeliveries(Protocol):
    """A handler that can tell whether what it delivered is still there."""

    async def stands(self, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> bool:
        """Tell whether people can still see the open request; False has it delivered anew.

        Called now and then, one request at a time. One that raises does not know, and is asked again later; an
        error's `retry_after_s` is the least pause before any other is looked at.
        """
        ...


def handler_name(handler: IInterruptHandler) -> str:
    """The name under which a handler's receipts and answers are stored."""
    name = getattr(handler, "name", None)
    return name if isinstance(name, str) and name else type(handler).__name__
