"""Imports point down the floors, and each rule of the style has one home."""

from __future__ import annotations

from pathlib import Path

import pytest

import spectra_bot
from tests.architecture.rules import circle, problems

TOP = Path(__file__).parents[2]
FILES = sorted([*(TOP / "spectra_bot").rglob("*.py"), *(TOP / "handlers").rglob("*.py")])


def module_of(file: Path) -> str:
    parts = file.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(TOP)) for file in FILES])
def test_module_keeps_the_rules(file: Path) -> None:
    is_init = file.name == "__init__.py"

    assert problems(module_of(file), file.read_text(), spectra_bot.__all__, is_init=is_init) == []


def test_modules_import_one_another_in_no_circle() -> None:
    sources = {module_of(file): file.read_text() for file in FILES if file.name != "__init__.py"}

    assert circle(sources) == []


def test_circle_is_found_also_where_it_is_for_type_checkers_only() -> None:
    sources = {
        "spectra_bot.agent.keeper": "from spectra_bot.agent import tools",
        "spectra_bot.agent.tools": "if TYPE_CHECKING:\n    from spectra_bot.agent.keeper import AgentKeeper",
        "spectra_bot.agent.run": "from spectra_bot.agent.keeper import AgentKeeper",
    }

    assert set(circle(sources)) == {"spectra_bot.agent.keeper", "spectra_bot.agent.tools"}


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("spectra_bot.policy", "from spectra_bot.store import Store", "higher floor"),
        ("spectra_bot.policy", "def f():\n    import spectra_bot.cli.root", "higher floor"),
        ("spectra_bot.machine.apply", "from ..embedded import engine", "higher floor"),
        ("spectra_bot.demo.release", "from spectra_bot import app", "higher floor"),
        ("spectra_bot.runner", "from spectra_bot import Workflow", "imports the package itself"),
        ("spectra_bot.novelty", "import spectra_bot.errors", "stands on no floor"),
        ("spectra_bot.embedded.engine", "import slack_sdk", "only app.py knows"),
        ("spectra_bot.cli.views", "from handlers.console import ConsoleHandler", "only app.py knows"),
        ("spectra_bot.embedded.engine", "import sqlite3", "only the store"),
        ("spectra_bot.workflow_runner", "import temporalio.client", "only spectra_bot.temporal"),
        ("handlers.queue", "from spectra_bot.store import Store", "handlers use what spectra_bot itself exports"),
        ("handlers.queue", "from spectra_bot import nothing_like_it", "does not export"),
        ("handlers.queue", "from spectra_bot import policy", "handlers use what spectra_bot itself exports"),
        ("handlers.queue", "import spectra_bot", "does not export"),
        ("handlers.slack.home", "import os\nx = os.environ['A']", "line 2: os.environ"),
        ("spectra_bot.policy", "import datetime\nx = datetime.datetime.now()", "line 2: datetime.now"),
        ("spectra_bot.store.utils", "", "is named utils"),
    ],
)
def test_module_that_breaks_a_rule_is_told(module: str, source: str, said: str) -> None:
    found = problems(module, source, spectra_bot.__all__)

    assert len(found) == 1
    assert found[0].startswith(f"{module}: ")
    assert said in found[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from spectra_bot.store.port import A, B\n__all__ = ['A']", "differ: B"),
        ("from spectra_bot.store.port import A, B\n__all__ = ['B', 'A']", "not sorted"),
        ("x = 1", "line 1: an __init__ only re-exports"),
        ("import logging", "line 1: an __init__ only re-exports"),
    ],
)
def test_init_that_does_more_than_export_is_told(source: str, said: str) -> None:
    (found,) = problems("spectra_bot.store", source, (), is_init=True)

    assert said in found


def test_module_that_keeps_the_rules_has_no_problems() -> None:
    source = "import asyncio\nfrom spectra_bot import redact\nfrom handlers.console import question_view"

    assert problems("handlers.queue", source, spectra_bot.__all__) == []
