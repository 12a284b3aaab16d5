"""The graph of a workflow as data: built and checked from what was declared, stored with each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from pydantic_core import to_json

from spectra_bot.errors import DefinitionError
from spectra_bot.json_values import digest
from spectra_bot.options import InterruptOption, InterruptStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A step as its author declared it."""

    name: str
    after: tuple[str, ...] | None
    behind: tuple[str, ...] = ()
    """What was declared before it: what it waits for unless `after` says otherwise."""
    when: bool = False
    options: tuple[InterruptOption, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From a predecessor: by going on, or by one option of a gate."""

    source: str
    option: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where an option of a gate leads."""

    option: str
    to: str
    back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step's place in the graph."""

    name: str
    edges: tuple[Edge, ...] = ()
    when: bool = False
    routes: tuple[Route, ...] = ()
    backs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """The graph that a run keeps from its start to its end."""

    nodes: tuple[Node, ...]

    @cached_property
    def digest(self) -> str:
        """The content hash under which it is stored."""
        return digest([to_json(node).decode() for node in self.nodes])

    @cached_property
    def text(self) -> str:
        """The JSON text in which it is stored."""
        return to_json(self).decode()

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def successors(self) -> dict[str, tuple[str, ...]]:
        """The nodes with an edge from each node."""
        found: dict[str, dict[str, None]] = {node.name: {} for node in self.nodes}
        for node in self.nodes:
            for edge in node.edges:
                found[edge.source][node.name] = None
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def behind(self) -> dict[str, frozenset[str]]:
        """Each node with everything that follows from it: what a new visit of it starts anew."""
        return {node.name: frozenset(_reach(self.successors, node.name)) for node in self.nodes}

    def begins(self, name: str) -> tuple[str, ...]:
        """The steps that a name begins with: the step itself, or the first ones of a sub-workflow; none if unknown."""
        if name in self.by_name:
            return (name,)
        inside = f"{name}/"
        return tuple(
            node.name
            for node in self.nodes
            if node.name.startswith(inside) and not any(edge.source.startswith(inside) for edge in node.edges)
        )


def build_shape(declared: Sequence[Declared], backs: Sequence[tuple[str, str]]) -> Shape:
    """The checked graph of what was declared.

    Raises:
        DefinitionError: naming the step and what is wrong with it.
    """
    if not declared:
        raise DefinitionError("it has no steps")
    names = {step.name for step in declared}
    for step in declared:
        _check_names(step, names)
    after = {step.name: tuple(dict.fromkeys(step.behind if step.after is None else step.after)) for step in declared}
    _check_cycles(after)
    forward = _forward_routes(declared, after)
    for step in declared:
        sources = {source for source, _ in forward.get(step.name, ())}
        if sources and step.after and not sources.issuperset(step.after):
            raise DefinitionError(
                f"step {step.name!r} runs only by a route of {', '.join(sorted(sources))}; drop its after="
            )
    nodes = tuple(
        Node(
            name=step.name,
            edges=tuple(Edge(source, option) for source, option in forward[step.name])
            if step.name in forward
            else tuple(Edge(source) for source in after[step.name]),
            when=step.when,
            routes=tuple(
                Route(option, to, back=(step.name, option) not in forward.get(to, ())) for option, to in step.routes
            ),
            backs=tuple(to for source, to in backs if source == step.name),
        )
        for step in declared
    )
    shape = Shape(nodes)
    _check_reachable(shape, declared)
    _check_backs(shape, names, backs)
    return shape


def _check_names(step: Declared, names: set[str]) -> None:
    for name in step.after or ():
        if name not in names:
            raise DefinitionError(f"step {step.name!r} is after {name!r}, which is not a step of it")
        if name == step.name:
            raise DefinitionError(f"step {step.name!r} is after itself; a loop is made by back() or a gate's route")
    for option, to in step.routes:
        if to not in names:
            raise DefinitionError(f"step {step.name!r} routes {option!r} to {to!r}, which is not a step of it")
    routed = dict(step.routes)
    for offered in step.options:
        if offered.status is InterruptStatus.ANSWERED and offered.id not in routed:
            raise DefinitionError(
                f"gate {step.name!r}: option {offered.id!r} is neither approval nor rejection, so it needs a route"
            )


def _check_cycles(after: dict[str, tuple[str, ...]]) -> None:
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DefinitionError(
            f"a cycle through after=: {circle}; a loop is made by back() or a gate's route"
        ) from error


def _forward_routes(
    declared: Sequence[Declared], after: dict[str, tuple[str, ...]]
) -> dict[str, list[tuple[str, str]]]:
    """The steps that a route leads ahead to, with the gates and options that do; all other routes lead back."""
    forward: dict[str, list[tuple[str, str]]] = {}
    changed = True
    while changed:
        changed = False
        successors: dict[str, list[str]] = {step.name: [] for step in declared}
        for name, sources in after.items():
            for source in [gate for gate, _ in forward[name]] if name in forward else sources:
                successors[source].append(name)
        for step in declared:
            for option, to in step.routes:
                leads_back = step.name in _reach(successors, to)
                if not leads_back and (step.name, option) not in forward.get(to, ()):
                    forward.setdefault(to, []).append((step.name, option))
                    changed = True
                    break
            if changed:
                break
    return forward


def _reach(successors: Mapping[str, Sequence[str]], start: str) -> set[str]:
    reached, open_names = {start}, [start]
    while open_names:
        for name in successors[open_names.pop()]:
            if name not in reached:
                reached.add(name)
                open_names.append(name)
    return reached


def _check_reachable(shape: Shape, declared: Iterable[Declared]) -> None:
    goes_on = {
        step.name: not step.options
        or any(
            option.status is InterruptStatus.APPROVED and option.id not in dict(step.routes) for option in step.options
        )
        for step in declared
    }
    reachable: set[str] = set()
    changed = True
    while changed:
        found = {
            node.name
            for node in shape.nodes
            if not node.edges
            or any(edge.source in reachable and (edge.option or goes_on[edge.source]) for edge in node.edges)
        }
        changed = found != reachable
        reachable = found
    for node in shape.nodes:
        if node.name not in reachable:
            raise DefinitionError(f"step {node.name!r} can never run: nothing before it leads to it")


def _check_backs(shape: Shape, names: set[str], backs: Sequence[tuple[str, str]]) -> None:
    for source, to in backs:
        for name in (source, to):
            if name not in names:
                raise DefinitionError(f"back({source!r}, to={to!r}): {name!r} is not a step of it")
        if source not in shape.behind[to]:
            raise DefinitionError(f"back({source!r}, to={to!r}): {to!r} does not come before {source!r}")
