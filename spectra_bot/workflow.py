"""How a workflow is written: steps in a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, overload

from pydantic import BaseModel, JsonValue

from spectra_bot.context import StepContext
from spectra_bot.declarations import Declarations
from spectra_bot.errors import DefinitionError
from spectra_bot.graph import Declared, Shape
from spectra_bot.input_model import InputModel
from spectra_bot.json_values import Path
from spectra_bot.retry_policy import RetryPolicy
from spectra_bot.step_code import Condition, InputsFunction, Scope, ScopedCondition, StepCode, StepFunction
from spectra_bot.steps import HumanGateStep, Step, StepResult

Names = str | Iterable[str]
_Function = TypeVar("_Function", bound=StepFunction)

__all__ = ["HumanGateStep", "Step", "StepContext", "StepResult", "Workflow"]


class Workflow:
    """Steps in a graph, linear unless said otherwise.

    Args:
        inputs: the pydantic model of a run's inputs; without one a run takes any JSON object.
        approvers: who may decide the questions of this workflow that name nobody themselves.
        channel: where its questions go that name no channel themselves.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: type[BaseModel] | None = None,
        description: str = "",
        approvers: Iterable[str] = (),
        channel: str | None = None,
    ) -> None:
        _check_name("workflow", name)
        self.name = name
        self.inputs = inputs
        self.description = description
        if isinstance(approvers, str):
            raise DefinitionError(f"workflow {name}: approvers is a list of ids, not one id")
        self.approvers = tuple(approvers)
        self.channel = channel
        self._declared = Declarations()
        self._last: str | None = None

    @overload
    def step(self, function: _Function, /) -> _Function: ...

    @overload
    def step(
        self,
        /,
        *,
        name: str | None = None,
        after: Names | None = None,
        when: Condition | None = None,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
    ) -> Callable[[_Function], _Function]: ...

    def step(
        self,
        function: _Function | None = None,
        /,
        *,
        name: str | None = None,
        after: Names | None = None,
        when: Condition | None = None,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
    ) -> _Function | Callable[[_Function], _Function]:
        """Make an async function a step; its name is the step's id.

        Args:
            after: the steps it waits for; without it, the step declared before; `()` for none.
            when: judged when all of those are finished or skipped; false skips the step.
            timeout: how long one execution may take; waiting for an answer does not count.
            retry: runs it again by itself when it raised.
        """

        def declare(body: _Function) -> _Function:
            self.add(name or body.__name__, body, after=after, when=when, timeout=timeout, retry=retry)
            return body

        return declare if function is None else declare(function)

    def add(
        self,
        name: str,
        step: Step | StepFunction | Workflow,
        *,
        after: Names | None = None,
        when: Condition | None = None,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
        inputs: InputsFunction | None = None,
    ) -> None:
        """Put a step, or all steps of another workflow, into the graph under a name.

        The steps of a sub-workflow are named `name/step`. What comes after `name` waits for all that it ends with.

        Args:
            inputs: makes a sub-workflow's inputs from the context, whenever a step of it runs: outputs may go into
                them, and it must have no effects. Without it a sub-workflow takes this workflow's inputs.

        Raises:
            DefinitionError: the name is taken or no name, this is no step, or an argument is of a wrong kind.
        """
        self._check_free(name)
        for word, function in (("when", when), ("inputs", inputs)):
            if function is not None and not callable(function):
                raise self._wrong(name, f"{word} is a function of the context, not {function!r}")
        behind = (self._last,) if self._last is not None else ()
        where = Declared(name=name, after=_names(after), behind=behind, when=when is not None)
        if isinstance(step, Workflow):
            if timeout is not None or retry is not None:
                raise self._wrong(name, "a sub-workflow has no timeout and no retry itself; give them to its steps")
            self._nest(where, step, when, inputs)
        else:
            if inputs is not None:
                raise self._wrong(name, "inputs= is for a sub-workflow; a step reads ctx.inputs")
            self._add_step(where, step, when, timeout, retry)
        self._last = name

    def back(self, step: str, *, to: str, when: Condition) -> None:
        """After `step`, go back to an earlier step if `when` says so: a new visit of it and all behind it."""
        if not callable(when):
            raise self._wrong(step, f"when is a function of the context, not {when!r}")
        self._declared.add_back(step, to, ScopedCondition(scope=self._scope, holds=when))

    def shape(self) -> Shape:
        """The graph as data, checked.

        Raises:
            DefinitionError: an unknown name, an unreachable step, a cycle, an unrouted option; names the step.
        """
        try:
            return self._declared.shape()
        except DefinitionError as error:
            raise DefinitionError(f"workflow {self.name}: {error}") from error

    def code(self, step: str) -> StepCode | None:
        """The code of a step; None where the workflow has no such step any more."""
        return self._declared.code.get(step)

    def back_conditions(self, step: str) -> list[tuple[str, ScopedCondition]]:
        """Where a step may go back to, and when; in the order they were declared."""
        return self._declared.backs_of(step)

    def stored_inputs(self, inputs: Mapping[str, object] | BaseModel | None) -> dict[str, JsonValue]:
        """A run's inputs, checked, as they are stored: secrets are in the clear.

        Raises:
            InvalidInputsError: with a problem per field.
        """
        return self._scope.inputs.stored(inputs)

    def secret_inputs(self, inputs: Mapping[str, object] | BaseModel | None) -> list[Path]:
        """Where in the stored inputs secrets stand, by their types in the model; the inputs are known to fit it."""
        return self._scope.inputs.secrets(inputs)

    def loaded_inputs(self, stored: Mapping[str, JsonValue]) -> Any:
        """What `ctx.inputs` is: the model with the stored values, or a plain dict.

        Raises:
            InvalidInputsError: the model changed and no longer takes what this run started with.
        """
        return self._scope.inputs.loaded(stored)

    @property
    def _scope(self) -> Scope:
        inputs = InputModel(workflow=self.name, model=self.inputs)
        return Scope(inputs=inputs, own_approvers=self.approvers, own_channel=self.channel)

    def _add_step(
        self,
        where: Declared,
        step: Step | StepFunction,
        when: Condition | None,
        timeout: timedelta | None,
        retry: RetryPolicy | None,
    ) -> None:
        gate = step if isinstance(step, HumanGateStep) else None
        if gate is not None and timeout is not None:
            raise self._wrong(where.name, "how long people may take stands in HumanGateStep(timeout=...)")
        if timeout is not None and not (isinstance(timeout, timedelta) and timeout > timedelta(0)):
            raise self._wrong(where.name, f"timeout is a timedelta above zero, not {timeout!r}")
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise self._wrong(where.name, f"retry is a RetryPolicy, not {retry!r}")
        where = replace(
            where,
            options=gate.options if gate else (),
            routes=tuple(gate.routes.items()) if gate else (),
        )
        code = StepCode(
            body=self._body_of(where.name, step),
            scope=self._scope,
            conditions=self._conditions(when),
            timeout=timeout,
            retry=retry,
        )
        self._declared.add(where, code)

    def _nest(self, where: Declared, child: Workflow, when: Condition | None, given: InputsFunction | None) -> None:
        scope = self._scope
        if child is self:
            raise self._wrong(where.name, "a workflow can't be a part of itself")
        lacking = child._scope.inputs.lacks(scope.inputs) if given is None else []
        if lacking:
            raise self._wrong(where.name, f"{child.name} needs {', '.join(lacking)}; give inputs=lambda ctx: {{...}}")
        child.shape()  # so that what is wrong with it is told under its own name
        self._declared.nest(where, child._declared, scope=scope, given=given, when=self._conditions(when))

    def _conditions(self, when: Condition | None) -> tuple[ScopedCondition, ...]:
        return (ScopedCondition(scope=self._scope, holds=when),) if when is not None else ()

    def _check_free(self, name: str) -> None:
        _check_name("step", name)
        if "/" in name:
            raise self._wrong(name, "a slash stands between a sub-workflow and its steps; use another character")
        if name in self._declared:
            raise DefinitionError(f"workflow {self.name}: there are two steps named {name!r}")

    def _body_of(self, name: str, step: Step | StepFunction) -> StepFunction:
        execute = step.execute if isinstance(step, Step) else step
        if isinstance(step, type):
            raise self._wrong(name, f"add an instance, {step.__name__}(...)")
        if isinstance(step, Step) and type(step).execute is Step.execute:
            raise self._wrong(name, f"{type(step).__name__} has no execute()")
        if not inspect.iscoroutinefunction(execute):
            raise self._wrong(
                name, "a step is an async function, a Step or a Workflow; blocking work goes into asyncio.to_thread"
            )
        return execute

    def _wrong(self, step: str, problem: str) -> DefinitionError:
        return DefinitionError(f"workflow {self.name}, step {step!r}: {problem}")


def _names(names: Names | None) -> tuple[str, ...] | None:
    return None if names is None else (names,) if isinstance(names, str) else tuple(names)


def _check_name(what: str, name: str) -> None:
    if not name or name != name.strip() or any(char.isspace() for char in name) or len(name) > 80:
        raise DefinitionError(f"{what} name {name!r}: use 1 to 80 characters without spaces")
