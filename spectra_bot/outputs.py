"""The outputs that a step sees: its own copies, made as they are taken out."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any

from pydantic import JsonValue

from spectra_bot.json_values import copy_of


class Outputs(dict[str, Any]):
    """A dict by step id whose values a step may change without changing the run's state.

    A value is copied when it is first taken out, and is the same object from then on; what nobody looks at is never
    copied, however large it is. The name of a sub-workflow gives the outputs of its steps as a dict, though it is no
    key itself.
    """

    def __init__(self, outputs: Mapping[str, JsonValue]) -> None:
        super().__init__(outputs)
        self._own: set[str] = set()

    def __missing__(self, name: str) -> dict[str, Any]:
        path = f"{name}/"
        steps = [step for step in self if step.startswith(path)]
        if not steps:
            raise KeyError(name)
        return {step.removeprefix(path): self[step] for step in steps}

    def __getitem__(self, step: str) -> Any:
        value = super().__getitem__(step)
        if step not in self._own and step in self:
            self[step] = value = copy_of(value)
        return value

    def __setitem__(self, step: str, value: Any) -> None:
        self._own.add(step)
        super().__setitem__(step, value)

    def get(self, step: str, default: Any = None) -> Any:
        try:
            return self[step]
        except KeyError:
            return default

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # a view that copies is no dict_values
        return ValuesView(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # a view that copies is no dict_items
        return ItemsView(self)

    def __iter__(self) -> Iterator[str]:
        """As a dict's own; that it is overridden makes `dict(outputs)` and `{**outputs}` take values out one by one."""
        return super().__iter__()
