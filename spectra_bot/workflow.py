"""How a workflow is written: steps in a graph."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from pydantic import BaseModel, JsonValue, ValidationError

from spectra_bot.context import StepContext
from spectra_bot.errors import DefinitionError, InvalidInputsError
from spectra_bot.forms import problems
from spectra_bot.graph import Declared, Shape, build_shape
from spectra_bot.json_values import Path, copy_of, reveal, secret_paths, to_json_object
from spectra_bot.steps import HumanGateStep, Step, StepResult

StepFunction = Callable[[StepContext], Awaitable[object]]
Condition = Callable[[StepContext], bool | Awaitable[bool]]
Names = str | Iterable[str]
_Function = TypeVar("_Function", bound=StepFunction)

__all__ = ["Condition", "HumanGateStep", "Step", "StepContext", "StepFunction", "StepResult", "Workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    step: str
    to: str
    when: Condition


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
        self._declared: list[Declared] = []
        self._bodies: dict[str, StepFunction] = {}
        self._conditions: dict[str, Condition] = {}
        self._backs: list[_Back] = []

    @overload
    def step(self, function: _Function, /) -> _Function: ...

    @overload
    def step(
        self, /, *, name: str | None = None, after: Names | None = None, when: Condition | None = None
    ) -> Callable[[_Function], _Function]: ...

    def step(
        self,
        function: _Function | None = None,
        /,
        *,
        name: str | None = None,
        after: Names | None = None,
        when: Condition | None = None,
    ) -> _Function | Callable[[_Function], _Function]:
        """Make an async function a step; its name is the step's id.

        Args:
            after: the steps it waits for; without it, the step declared before; `()` for none.
            when: judged when all of those are finished or skipped; false skips the step.
        """

        def declare(body: _Function) -> _Function:
            self.add(name or body.__name__, body, after=after, when=when)
            return body

        return declare if function is None else declare(function)

    def add(
        self,
        name: str,
        step: Step | StepFunction,
        *,
        after: Names | None = None,
        when: Condition | None = None,
    ) -> None:
        """Put a step into the graph under a name.

        Raises:
            DefinitionError: the name is taken or no name, or this is no step.
        """
        _check_name("step", name)
        if name in self._bodies:
            raise DefinitionError(f"workflow {self.name}: there are two steps named {name!r}")
        gate = step if isinstance(step, HumanGateStep) else None
        self._declared.append(
            Declared(
                name=name,
                after=None if after is None else (after,) if isinstance(after, str) else tuple(after),
                when=when is not None,
                options=gate.options if gate else (),
                routes=tuple(gate.routes.items()) if gate else (),
            )
        )
        self._bodies[name] = self._body_of(name, step)
        if when is not None:
            self._conditions[name] = when

    def back(self, step: str, *, to: str, when: Condition) -> None:
        """After `step`, go back to an earlier step if `when` says so: a new visit of it and all behind it."""
        self._backs.append(_Back(step=step, to=to, when=when))

    def shape(self) -> Shape:
        """The graph as data, checked.

        Raises:
            DefinitionError: an unknown name, an unreachable step, a cycle, an unrouted option; names the step.
        """
        try:
            return build_shape(self._declared, [(back.step, back.to) for back in self._backs])
        except DefinitionError as error:
            raise DefinitionError(f"workflow {self.name}: {error}") from error

    def body(self, step: str) -> StepFunction | None:
        """The code of a step; None where the workflow has no such step any more."""
        return self._bodies.get(step)

    def condition(self, step: str) -> Condition | None:
        """The `when=` of a step."""
        return self._conditions.get(step)

    def back_conditions(self, step: str) -> list[tuple[str, Condition]]:
        """Where a step may go back to, and when; in the order they were declared."""
        return [(back.to, back.when) for back in self._backs if back.step == step]

    def stored_inputs(self, inputs: Mapping[str, object] | BaseModel | None) -> dict[str, JsonValue]:
        """A run's inputs, checked, as they are stored: secrets are in the clear.

        Raises:
            InvalidInputsError: with a problem per field.
        """
        given = inputs if inputs is not None else {}
        if self.inputs is None:
            return to_json_object(reveal(given), "inputs")
        try:
            model = self.inputs.model_validate(dict(given) if isinstance(given, Mapping) else given)
        except ValidationError as error:
            raise InvalidInputsError(self.name, problems(error)) from error
        return to_json_object(reveal(model), "inputs")

    def secret_inputs(self, inputs: Mapping[str, object] | BaseModel | None) -> list[Path]:
        """Where in the stored inputs secrets stand, by their types in the model; the inputs are known to fit it."""
        if self.inputs is None or inputs is None:
            return secret_paths(inputs)
        return secret_paths(self.inputs.model_validate(dict(inputs) if isinstance(inputs, Mapping) else inputs))

    def loaded_inputs(self, stored: Mapping[str, JsonValue]) -> Any:
        """What `ctx.inputs` is: the model with the stored values, or a plain dict.

        Raises:
            InvalidInputsError: the model changed and no longer takes what this run started with.
        """
        given = copy_of(dict(stored)) if stored else {}
        if self.inputs is None:
            return given
        try:
            return self.inputs.model_validate(given)
        except ValidationError as error:
            raise InvalidInputsError(self.name, problems(error)) from error

    def _body_of(self, name: str, step: Step | StepFunction) -> StepFunction:
        execute = step.execute if isinstance(step, Step) else step
        if isinstance(step, type):
            raise DefinitionError(f"workflow {self.name}, step {name!r}: add an instance, {step.__name__}(...)")
        if isinstance(step, Step) and type(step).execute is Step.execute:
            raise DefinitionError(f"workflow {self.name}, step {name!r}: {type(step).__name__} has no execute()")
        if not inspect.iscoroutinefunction(execute):
            raise DefinitionError(
                f"workflow {self.name}, step {name!r}: a step is an async function or a Step; "
                "blocking work goes into asyncio.to_thread"
            )
        return execute


def _check_name(what: str, name: str) -> None:
    if not name or name != name.strip() or any(char.isspace() for char in name) or len(name) > 80:
        raise DefinitionError(f"{what} name {name!r}: use 1 to 80 characters without spaces")
