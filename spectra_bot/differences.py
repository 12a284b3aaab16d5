"""What is different between two JSON values, field by field, fit to be shown to people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from spectra_bot.redact import redact

MAX_SHOWN = 300
"""As many characters of a value are kept."""
MAX_DIFFERENCES = 40
"""A field with more differences inside is told as one."""
_MAX_COMPARED = 250_000
"""Longer sequences are not matched item by item, which would take time by the square of their lengths."""


class Difference(BaseModel):
    """One field that is different, by its path: `data.plan.replicas`, `data.hosts[2]`, `options.modify`.

    `before` and `after` are texts to show: of a text itself, else JSON; shortened, and with secrets masked. None where
    the field was not there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    before: str | None = None
    after: str | None = None

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What became of the field."""
        if self.before is None and self.after is not None:
            return "added"
        return "removed" if self.after is None and self.before is not None else "changed"

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"{self.path}: {self.after} (new)"
            case "removed":
                return f"{self.path}: {self.before} (gone)"
            case _ if self.before is None:
                return self.path
            case _:
                return f"{self.path}: {self.before} → {self.after}"


def differences(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> tuple[Difference, ...]:
    """Every field that is different between two objects, in the order of their keys."""
    return tuple(
        difference
        for name in {**before, **after}
        for difference in _bounded(name, _Side(before.get(name), name in before), _Side(after.get(name), name in after))
    )


class _Side:
    """A value on one side: as it is compared, and as it may be shown."""

    def __init__(self, value: JsonValue, is_there: bool = True, *, shown: JsonValue = None, is_masked: bool = False):
        self.value = value
        self.is_there = is_there
        self.shown = shown if is_masked else redact(value)

    def item(self, key: str | int) -> _Side:
        """What stands under a key of an object, or at a place of a list."""
        value, shown = self.value, self.shown
        if isinstance(value, dict) and isinstance(key, str):
            known = shown.get(key) if isinstance(shown, dict) else shown
            return _Side(value.get(key), key in value, shown=known, is_masked=True)
        assert isinstance(value, list) and isinstance(key, int)  # noqa: PT018, S101  its callers looked
        return _Side(value[key], shown=shown[key] if isinstance(shown, list) else shown, is_masked=True)

    def text(self) -> str | None:
        if not self.is_there:
            return None
        text = self.shown if isinstance(self.shown, str) else json.dumps(self.shown, ensure_ascii=False)
        return _shortened(text)


def _bounded(path: str, before: _Side, after: _Side) -> list[Difference]:
    found = list(islice(_compared(path, before, after), MAX_DIFFERENCES + 1))
    return found if len(found) <= MAX_DIFFERENCES else [Difference(path=path, before=before.text(), after=after.text())]


def _compared(path: str, before: _Side, after: _Side) -> Iterator[Difference]:
    if not (before.is_there and after.is_there):
        yield Difference(path=path, before=before.text(), after=after.text())
        return
    match before.value, after.value:
        case (dict() as one, dict() as other):
            for key in {**one, **other}:
                yield from _compared(f"{path}.{key}", before.item(key), after.item(key))
        case (list() as one, list() as other):
            yield from _compared_items(
                path, before, after, [_key(item) for item in one], [_key(item) for item in other]
            )
        case (str() as one, str() as other) if one != other and "\n" in one and "\n" in other:
            yield _lines(path, before, after)
        case (one, other) if type(one) is not type(other) or one != other:
            yield Difference(path=path, before=before.text(), after=after.text())


def _compared_items(path: str, before: _Side, after: _Side, one: list[str], other: list[str]) -> Iterator[Difference]:
    """Items that came, went, or stand changed in the same place."""
    for i, i_end, j, j_end in _changes(one, other):
        paired = min(i_end - i, j_end - j)
        for step in range(paired):
            yield from _compared(f"{path}[{j + step}]", before.item(i + step), after.item(j + step))
        for gone in range(i + paired, i_end):
            yield Difference(path=f"{path}[{gone}]", before=before.item(gone).text())
        for new in range(j + paired, j_end):
            yield Difference(path=f"{path}[{new}]", after=after.item(new).text())


def _lines(path: str, before: _Side, after: _Side) -> Difference:
    """The lines of a longer text that are different."""
    if not isinstance(before.shown, str) or not isinstance(after.shown, str):
        return Difference(path=path, before=before.text(), after=after.text())
    one, other = before.shown.splitlines(), after.shown.splitlines()
    changes = _changes(one, other)
    gone = [line for i, i_end, _, _ in changes for line in one[i:i_end]]
    new = [line for _, _, j, j_end in changes for line in other[j:j_end]]
    if not gone and not new:
        return Difference(path=path)
    return Difference(path=path, before=_shortened("\n".join(gone)), after=_shortened("\n".join(new)))


def _changes(one: list[str], other: list[str]) -> list[tuple[int, int, int, int]]:
    """Where two sequences differ: from and to in the one, from and to in the other."""
    shortest = min(len(one), len(other))
    start = next((index for index in range(shortest) if one[index] != other[index]), shortest)
    end = next((index for index in range(shortest - start) if one[-1 - index] != other[-1 - index]), shortest - start)
    middle, other_middle = one[start : len(one) - end], other[start : len(other) - end]
    if len(middle) * len(other_middle) > _MAX_COMPARED:
        return [(start, len(one) - end, start, len(other) - end)]
    codes = SequenceMatcher(None, middle, other_middle, autojunk=False).get_opcodes()
    return [(start + i, start + i2, start + j, start + j2) for tag, i, i2, j, j2 in codes if tag != "equal"]


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _key(value: JsonValue) -> str:
    """What two equal JSON values have in common; 1, 1.0 and true are three of them."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
