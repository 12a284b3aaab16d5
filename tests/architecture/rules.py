"""The rules of DESIGN and STYLE that a reader of the source can check: pure, from a module's text to its problems."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

FLOORS = {
    0: "errors clock collector extras options differences interrupts json_values forms runs redact printable "
    "retry_policy suggestions",
    1: "graph steps context input_model step_code declarations workflow run_inputs outputs policy machine",
    2: "runner workflow_runner store engine embedded outbox temporal agent",
    3: "settings testing",
    4: "web demo loading",
    5: "app cli",
}
_FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names.split()}
_PUBLIC_FLOOR = 2
"""What `spectra_bot` itself exports stands on this floor; only those above may import it."""

_BANNED_NAMES = {"utils", "common", "manager", "base", "helpers"}
_SLACK = ("slack_bolt", "slack_sdk", "handlers")
_ONE_HOME = {
    "os.environ": "spectra_bot.settings",
    "os.getenv": "spectra_bot.settings",
    "datetime.now": "spectra_bot.clock",
    "datetime.utcnow": "spectra_bot.clock",
    "datetime.today": "spectra_bot.clock",
    "date.today": "spectra_bot.clock",
}


def problems(module: str, source: str, public: Collection[str], *, is_init: bool = False) -> list[str]:
    """Every rule that a module breaks.

    Args:
        public: what `spectra_bot` exports.
        is_init: the module is a package's `__init__`.
    """
    tree = ast.parse(source)
    found = [*_bad_name(module), *_homeless(module, tree)]
    for target, names in _imports(tree, module, public, is_init=is_init):
        found += _upward(module, target) if _top(module) == "spectra_bot" else _not_public(target, names, public)
        if target.split(".")[0] == "sqlite3" and not module.startswith("spectra_bot.store"):
            found.append("imports sqlite3; only the store opens a database")
        if target.split(".")[0] == "temporalio" and _top(module) == "spectra_bot" and _part(module) != "temporal":
            found.append("imports temporalio; only spectra_bot.temporal speaks to Temporal")
    if is_init:
        found += _does_more_than_export(tree)
    return [f"{module}: {problem}" for problem in found]


def circle(sources: Mapping[str, str]) -> list[str]:
    """Modules that import one another in a circle, the first also at the end; packages' `__init__` are left out."""
    arrows = {
        module: {
            name
            for target, names in _imports(ast.parse(source), module, (), is_init=False)
            for name in (target, *(f"{target}.{name}" for name in names))
            if name in sources and name != module
        }
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _upward(module: str, target: str) -> Iterator[str]:
    if _top(target) in _SLACK and module != "spectra_bot.app":
        yield f"imports {target}; only app.py knows handlers and Slack"
    if _top(target) != "spectra_bot" or module == "spectra_bot":
        return
    here = _FLOOR_OF.get(_part(module))
    if here is None:
        yield "stands on no floor; give it one in FLOORS"
        return
    if target == "spectra_bot":
        if here <= _PUBLIC_FLOOR:
            yield "imports the package itself, which imports it"
    elif _FLOOR_OF.get(_part(target), 0) > here:
        yield f"imports {target}, which stands on a higher floor"


def _not_public(target: str, names: Collection[str], public: Collection[str]) -> Iterator[str]:
    if _top(target) != "spectra_bot":
        return
    private = sorted(set(names) - set(public))
    if target != "spectra_bot":
        yield f"imports {target}; handlers use what spectra_bot itself exports"
    elif private or not names:
        yield f"imports {', '.join(private) or 'the package'} from spectra_bot, which does not export that"


def _bad_name(module: str) -> Iterator[str]:
    if banned := _BANNED_NAMES & set(module.split(".")):
        yield f"is named {', '.join(banned)}; name it after what it holds"


def _homeless(module: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            words = ast.unparse(node).split(".")[-2:]
            home = _ONE_HOME.get(".".join(words))
            if home and module != home:
                yield f"line {node.lineno}: {'.'.join(words)}; only {home} may"


def _does_more_than_export(tree: ast.Module) -> Iterator[str]:
    exported: list[str] = []
    imported: list[str] = []
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.ImportFrom():
                imported += [alias.asname or alias.name for alias in node.names]
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                exported = ast.literal_eval(node.value)
            case _:
                yield f"line {node.lineno}: an __init__ only re-exports"
    if set(exported) != set(imported):
        yield f"__all__ and its imports differ: {', '.join(sorted(set(exported) ^ set(imported)))}"
    if exported != sorted(exported, key=lambda name: (not name.isupper(), not name[0].isupper(), name)):
        yield "__all__ is not sorted"


def _imports(
    tree: ast.Module, module: str, public: Collection[str], *, is_init: bool
) -> Iterator[tuple[str, list[str]]]:
    """What is imported from where, also inside functions and for type checkers only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            parents = module.split(".")[: -node.level + (1 if is_init else 0) or None] if node.level else []
            target = ".".join([*parents, *([node.module] if node.module else [])])
            # `from spectra_bot import app` imports a module; `redact` is a module too, and exported as a function.
            modules = [name for name in names if target == "spectra_bot" and name in _FLOOR_OF and name not in public]
            yield from ((f"spectra_bot.{name}", []) for name in modules)
            if names != modules:
                yield target, [name for name in names if name not in modules]


def _top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def _part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""
