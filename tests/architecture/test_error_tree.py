"""The trees at the top of the three errors modules hold every error, each under its parent."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

import handlers.queue
import handlers.queue.errors
import handlers.slack
import handlers.slack.errors
import spectra_bot
from spectra_bot import SpectraError, errors


def drawn(module: ModuleType) -> set[tuple[str, str]]:
    """The names in a module's tree, each with the name above it."""
    above: dict[int, str] = {}
    found = set()
    for line in (module.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if not name.endswith("Error"):
            continue
        depth = len(line) - len(line.lstrip("│├└─ "))
        above[depth] = name
        if depth:
            found.add((name, above[depth - 4]))
    return found


def defined(package: ModuleType, root: type[SpectraError]) -> set[tuple[str, str]]:
    """The public errors below a root that a package's modules define, each with the name of its parent."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    classes = [root]
    for one in classes:
        classes += one.__subclasses__()
    return {
        (one.__name__, one.__bases__[0].__name__)
        for one in classes[1:]
        if one.__module__.startswith(f"{package.__name__}.") and not one.__name__.startswith("_")
    }


@pytest.mark.parametrize(
    ("package", "module", "root"),
    [
        (spectra_bot, errors, SpectraError),
        (handlers.slack, handlers.slack.errors, handlers.slack.errors.SlackError),
        (handlers.queue, handlers.queue.errors, handlers.queue.errors.QueueError),
    ],
    ids=["spectra_bot", "slack", "queue"],
)
def test_tree_holds_every_error_under_its_parent(
    package: ModuleType, module: ModuleType, root: type[SpectraError]
) -> None:
    assert drawn(module) == defined(package, root)


def test_every_error_of_the_tree_but_those_that_stand_elsewhere_is_public() -> None:
    here = {name for name in vars(errors) if name.endswith("Error")}

    assert here <= set(spectra_bot.__all__)
