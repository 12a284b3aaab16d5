"""The code of a step, and the workflow in whose terms it speaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import BaseModel

from spectra_bot.context import StepContext
from spectra_bot.input_model import InputModel
from spectra_bot.retry_policy import RetryPolicy

StepFunction = Callable[[StepContext], Awaitable[object]]
Condition = Callable[[StepContext], bool | Awaitable[bool]]
InputsFunction = Callable[[StepContext], Mapping[str, object] | BaseModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The workflow in whose terms a step speaks: the run's own, or a sub-workflow of it.

    A step of a sub-workflow reads that workflow's inputs, and its own neighbours' outputs by their short names.
    """

    inputs: InputModel
    own_approvers: tuple[str, ...] = ()
    own_channel: str | None = None
    path: str = ""
    """What stands before the short names of its steps: `roll-out/`."""
    outer: Scope | None = None
    given: InputsFunction | None = None
    """Makes a sub-workflow's inputs in the terms of the one around it; None: it takes that one's."""

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who may decide here where a question names nobody."""
        return self.own_approvers or (self.outer.approvers if self.outer else ())

    @property
    def channel(self) -> str | None:
        """Where a question goes from here that names no channel."""
        return self.own_channel or (self.outer.channel if self.outer else None)

    def within(self, outer: Scope, name: str, given: InputsFunction | None) -> Scope:
        """The same scope where its workflow is a part of another, under a name."""
        path = f"{name}/{self.path}"
        if self.outer is None:
            return replace(self, path=path, outer=outer, given=given)
        return replace(self, path=path, outer=self.outer.within(outer, name, given))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedCondition:
    """A condition, and in whose terms it is written."""

    scope: Scope
    holds: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCode:
    """What a step runs and by which rules."""

    body: StepFunction
    scope: Scope
    conditions: tuple[ScopedCondition, ...] = ()
    """All must hold, or the step is skipped."""
    timeout: timedelta | None = None
    """How long one execution may take."""
    retry: RetryPolicy | None = None

    def within(
        self, outer: Scope, name: str, given: InputsFunction | None, first: tuple[ScopedCondition, ...]
    ) -> StepCode:
        """The same code where its workflow is a part of another, under more conditions."""
        conditions = tuple(
            replace(condition, scope=condition.scope.within(outer, name, given)) for condition in self.conditions
        )
        return replace(self, scope=self.scope.within(outer, name, given), conditions=(*first, *conditions))
