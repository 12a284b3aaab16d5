"""Finds workflows in a module or a file, as `--workflows` names them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from spectra_bot.errors import DefinitionError
from spectra_bot.extras import how_to_install
from spectra_bot.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The workflows that were found, and the places that name them from any folder."""

    workflows: tuple[Workflow, ...] = ()
    places: tuple[str, ...] = ()


def load_workflows(places: Iterable[str]) -> Loaded:
    """Import each place and collect the workflows at its top level.

    Args:
        places: modules by their dotted name, or files by their path. The current folder, and a file's own, are
            searched for what they import, after everything that is installed.

    Raises:
        DefinitionError: there is no such place, its code fails (with the line), it holds no workflow, or two
            different workflows have one name.
    """
    found: dict[str, tuple[Workflow, str]] = {}
    absolute: list[str] = []
    for place in dict.fromkeys(places):
        module = _load(place)
        workflows = {id(value): value for value in vars(module).values() if isinstance(value, Workflow)}
        if not workflows:
            raise DefinitionError(f"{place}: there is no Workflow at its top level")
        for workflow in workflows.values():
            known, where = found.setdefault(workflow.name, (workflow, place))
            if known is not workflow:
                raise DefinitionError(
                    f"two workflows are named {workflow.name!r}: in {where}"
                    + (" twice" if where == place else f" and in {place}")
                )
        absolute.append(_from_anywhere(place, module))
    return Loaded(workflows=tuple(workflow for workflow, _ in found.values()), places=tuple(absolute))


class _NoSuchPlaceError(DefinitionError):
    """The place itself is wrong, not the code in it."""


def _load(place: str) -> ModuleType:
    path = Path(place).expanduser()
    is_file = place.endswith(".py") or os.sep in place or path.is_file()
    try:
        return _load_file(place, path.absolute()) if is_file else _load_module(place)
    except _NoSuchPlaceError:
        raise
    except (Exception, SystemExit) as error:
        raise DefinitionError(f"{place} can't be loaded: {_lacking(error) or _culprit(error)}") from error


def _load_file(place: str, path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a folder; name a file in it" if path.is_dir() else "there is no such file"
        raise _NoSuchPlaceError(f"{place}: {what}")
    # The same file has the same module name in every process: forms are stored with the name of their model.
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _NoSuchPlaceError(f"{place}: this is no Python file; its name ends in .py")
    _search(path.parent)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load_module(place: str) -> ModuleType:
    _search(Path.cwd())
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise _NoSuchPlaceError(
                f"{place}: there is no module of that name here or installed; a file is named with its .py"
            ) from error
        raise


def _search(folder: Path) -> None:
    if str(folder) not in sys.path:
        # Last, so that a folder named `handlers` in a project does not hide the one of this product.
        sys.path.append(str(folder))


def _from_anywhere(place: str, module: ModuleType) -> str:
    file = Path(module.__file__).absolute() if module.__file__ else None
    if file is None or (place == module.__name__ and "." in place):
        return place
    is_local = place != module.__name__ or file.parent == Path.cwd()
    return str(file) if is_local and file.name != "__init__.py" else place


def _lacking(error: BaseException) -> str | None:
    """The command that installs what is missing, where an extra brings it."""
    for one in (error, error.__cause__):
        if isinstance(one, ModuleNotFoundError) and (said := how_to_install(one)):
            return said
    return None


def _culprit(error: BaseException) -> str:
    """The error with the last line that is the author's own: neither import machinery nor this package."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and Path(__file__).parent not in Path(frame.filename).parents
    ]
    return f"{said} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else said
