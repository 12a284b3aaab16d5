"""What the author of a workflow has declared, sub-workflows flattened; the graph is made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spectra_bot.errors import DefinitionError
from spectra_bot.graph import Declared, Shape, build_shape
from spectra_bot.step_code import InputsFunction, Scope, ScopedCondition, StepCode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    step: str
    to: str
    when: ScopedCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A sub-workflow: the steps by which it is entered and left."""

    entries: tuple[str, ...]
    exits: tuple[str, ...]


class Declarations:
    """The steps, ways back and sub-workflows of one workflow, in the order they were declared."""

    def __init__(self) -> None:
        self.code: dict[str, StepCode] = {}
        self._steps: list[Declared] = []
        self._backs: list[_Back] = []
        self._parts: dict[str, _Part] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.code or name in self._parts

    def add(self, step: Declared, code: StepCode) -> None:
        """Take in a step."""
        self._steps.append(step)
        self.code[step.name] = code

    def add_back(self, step: str, to: str, when: ScopedCondition) -> None:
        """Take in a way back."""
        self._backs.append(_Back(step=step, to=to, when=when))

    def nest(
        self,
        where: Declared,
        child: Declarations,
        *,
        scope: Scope,
        given: InputsFunction | None,
        when: tuple[ScopedCondition, ...],
    ) -> None:
        """Take in the steps of a sub-workflow as it stands now: `plan` becomes `roll-out/plan`.

        Its first steps wait for what it is declared behind, and run only where `when` holds too.

        Raises:
            DefinitionError: its own graph is wrong.
        """
        name, shape = where.name, child.shape()
        entries = [node.name for node in shape.nodes if not node.edges]
        left_from = {edge.source for node in shape.nodes for edge in node.edges if edge.option is None}

        def inside(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(f"{name}/{step}" for step in names)

        for step in child._steps:
            is_entry = step.name in entries
            flattened = replace(
                step,
                name=f"{name}/{step.name}",
                after=where.after if is_entry else None if step.after is None else inside(step.after),
                behind=where.behind if is_entry else inside(step.behind),
                when=step.when or (is_entry and bool(when)),
                routes=tuple((option, f"{name}/{to}") for option, to in step.routes),
            )
            self.add(flattened, child.code[step.name].within(scope, name, given, when if is_entry else ()))
        for back in child._backs:
            condition = replace(back.when, scope=back.when.scope.within(scope, name, given))
            self.add_back(f"{name}/{back.step}", f"{name}/{back.to}", condition)
        for inner, part in child._parts.items():
            self._parts[f"{name}/{inner}"] = _Part(entries=inside(part.entries), exits=inside(part.exits))
        exits = [node.name for node in shape.nodes if node.name not in left_from]
        self._parts[name] = _Part(entries=inside(entries), exits=inside(exits))

    def shape(self) -> Shape:
        """The graph, checked.

        Raises:
            DefinitionError: naming the step and what is wrong with it.
        """
        steps = [
            replace(
                step,
                after=None if step.after is None else self._exits(step.after),
                behind=self._exits(step.behind),
                routes=tuple((option, self._entry(to)) for option, to in step.routes),
            )
            for step in self._steps
        ]
        return build_shape(steps, [(self._exit(back.step), self._entry(back.to)) for back in self._backs])

    def backs_of(self, step: str) -> list[tuple[str, ScopedCondition]]:
        """Where a step may go back to, and when; in the order they were declared."""
        return [(self._entry(back.to), back.when) for back in self._backs if self._exit(back.step) == step]

    def _exits(self, names: Iterable[str]) -> tuple[str, ...]:
        """The steps that are meant where something comes after these names."""
        return tuple(step for name in names for step in (self._parts[name].exits if name in self._parts else (name,)))

    def _exit(self, name: str) -> str:
        return _the_one(name, self._exits((name,)), "ends")

    def _entry(self, name: str) -> str:
        return _the_one(name, self._parts[name].entries if name in self._parts else (name,), "begins")


def _the_one(name: str, steps: tuple[str, ...], does: str) -> str:
    if len(steps) > 1:
        raise DefinitionError(f"{name!r} {does} with {', '.join(steps)}; name the one that is meant")
    return steps[0]
