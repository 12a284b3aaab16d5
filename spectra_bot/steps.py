"""What a step is, what it may return, and the step that only asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import ValidationError

from spectra_bot.context import StepContext
from spectra_bot.errors import DefinitionError, InterruptTimedOutError
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.options import InterruptOption

TIMEOUT_ROUTE = "timeout"
"""The route a gate takes when nobody decided in time and no default option applies."""


class StepStatus(StrEnum):
    """How an execution of a step ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How an execution of a step ended; a step may return its plain output instead."""

    status: StepStatus
    output: object = None
    error: str | None = None
    request: InterruptRequest | None = None
    option: str | None = None
    """The option that a gate took, for its routes."""

    @classmethod
    def completed(cls, output: object = None) -> StepResult:
        """The step is done; `output` is anything pydantic can write as JSON."""
        return cls(status=StepStatus.COMPLETED, output=output)

    @classmethod
    def failed(cls, error: str) -> StepResult:
        """The step failed, and the run with it."""
        return cls(status=StepStatus.FAILED, error=error)

    @classmethod
    def skipped(cls) -> StepResult:
        """The step had nothing to do; what follows only it is skipped too."""
        return cls(status=StepStatus.SKIPPED)

    @classmethod
    def interrupted(cls, request: InterruptRequest) -> StepResult:
        """The step asks and stops; it runs again with the answer in `ctx.response`."""
        return cls(status=StepStatus.INTERRUPTED, request=request)


@runtime_checkable
class Step(Protocol):
    """A step as a class: subclass it and write `execute`."""

    async def execute(self, ctx: StepContext) -> object:
        """Do the work; return a StepResult or a plain output. Runs again from its first line after an answer."""
        ...


class HumanGateStep(Step):
    """A step that only asks: approval goes on, rejection and timeout end the run unless they are routed.

    Args:
        reason: the question, or a function of the context that words it.
        data: what is shown, or a function of the context that gives it.
        routes: the step to go to by option id, and by `timeout` where nobody decided. A route to an earlier step
            starts a new visit of it; a step ahead that a route names runs only by that route.
    """

    def __init__(
        self,
        reason: str | Callable[[StepContext], str],
        options: Iterable[str | InterruptOption] = ("approve", "reject"),
        *,
        data: Mapping[str, object] | Callable[[StepContext], Mapping[str, object]] | None = None,
        timeout: timedelta | None = None,
        default_option: str | None = None,
        approvers: Iterable[str] = (),
        channel: str | None = None,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self._reason = reason
        self._data = data or {}
        self.routes = dict(routes or {})
        try:
            self._template = InterruptRequest(
                reason=reason if isinstance(reason, str) else "worded when the step runs",
                options=options,
                timeout=timeout,
                default_option=default_option,
                approvers=approvers if isinstance(approvers, str) else tuple(approvers),
                channel=channel,
            )
        except ValidationError as error:
            raise DefinitionError(f"HumanGateStep: {error.errors()[0]['msg']}") from error
        self.options = self._template.options
        known = {option.id for option in self.options} | {TIMEOUT_ROUTE}
        unknown = sorted(set(self.routes) - known)
        if unknown:
            raise DefinitionError(f"HumanGateStep: a route for {unknown[0]!r}, which is not an option of it")

    async def execute(self, ctx: StepContext) -> StepResult:
        """Ask, and translate the answer: its option decides where the run goes."""
        try:
            response = await ctx.interrupt(self._request(ctx))
        except InterruptTimedOutError as error:
            if TIMEOUT_ROUTE in self.routes:
                return StepResult(status=StepStatus.COMPLETED, output={"option": None}, option=TIMEOUT_ROUTE)
            return StepResult.failed(str(error))
        if response.option not in self.routes and not response.approved:
            return StepResult.failed(refusal(response))
        output = {
            "option": response.option,
            "status": response.status,
            "responder": response.responder,
            "notes": response.notes,
            "data": response.data,
        }
        return StepResult(status=StepStatus.COMPLETED, output=output, option=response.option)

    def _request(self, ctx: StepContext) -> InterruptRequest:
        reason = self._reason if isinstance(self._reason, str) else self._reason(ctx)
        data = self._data if isinstance(self._data, Mapping) else self._data(ctx)
        return InterruptRequest.model_validate({**dict(self._template), "reason": reason, "data": dict(data)})


def refusal(response: InterruptResponse) -> str:
    """Who refused and why, as the error of a run."""
    who = response.responder or "an unnamed caller"
    if response.status.value == "timed_out":
        who = "nobody in time, by default"
    return f"{response.option} by {who}{': ' + response.notes if response.notes else ''}"
