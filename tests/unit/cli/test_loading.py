from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spectra_bot import DefinitionError
from spectra_bot.loading import load_workflows

ONE = """
from spectra_bot import Workflow
{name} = Workflow("{name}")
@{name}.step
async def only(ctx):
    pass
"""


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)


def file(path: str, text: str) -> Path:
    place = Path(path).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def test_file_gives_its_workflows_and_a_place_that_holds_from_anywhere() -> None:
    place = file("flows/deploy.py", ONE.format(name="deploy") + ONE.format(name="backup"))

    loaded = load_workflows(["flows/deploy.py"])

    assert [workflow.name for workflow in loaded.workflows] == ["deploy", "backup"]
    assert loaded.places == (str(place),)


def test_module_is_found_in_the_current_folder() -> None:
    place = file("deploy_flow.py", ONE.format(name="deploy"))

    loaded = load_workflows(["deploy_flow"])

    assert [workflow.name for workflow in loaded.workflows] == ["deploy"]
    assert loaded.places == (str(place),)


def test_installed_module_is_named_by_its_module() -> None:
    loaded = load_workflows(["spectra_bot.demo.release"])

    assert [workflow.name for workflow in loaded.workflows] == ["release"]
    assert loaded.places == ("spectra_bot.demo.release",)


def test_file_imports_what_stands_beside_it() -> None:
    file("flows/names_beside.py", "NAME = 'deploy'")
    file("flows/main.py", "import names_beside\nfrom spectra_bot import Workflow\nw = Workflow(names_beside.NAME)")

    assert load_workflows(["flows/main.py"]).workflows[0].name == "deploy"


def test_file_is_imported_once_under_a_name_that_stays() -> None:
    file("a.py", ONE.format(name="deploy"))

    first, second = load_workflows(["a.py"]), load_workflows([str(Path("a.py").absolute())])

    assert first.workflows[0] is second.workflows[0]


def test_folder_named_handlers_in_a_project_hides_nothing() -> None:
    file("handlers/__init__.py", "raise RuntimeError('hidden')")
    file("a.py", "import handlers.auto_approve\n" + ONE.format(name="deploy"))

    assert load_workflows(["a.py"]).workflows


def test_same_workflow_in_two_modules_is_one() -> None:
    file("first_place.py", ONE.format(name="deploy"))
    file("second_place.py", "from first_place import deploy")

    assert len(load_workflows(["first_place", "second_place"]).workflows) == 1


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("gone.py", None, "gone.py: there is no such file"),
        ("gone_module", None, "gone_module: there is no module of that name here or installed"),
        ("empty.py", "x = 1", "empty.py: there is no Workflow at its top level"),
        ("bad.py", "x = 1\nx = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("bad.py", "x = 1\nimport not_there_at_all\n", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("bad.py", "x = (\n", "SyntaxError"),
        ("bad.py", "raise SystemExit(3)", "SystemExit: 3"),
        ("bad.py", "import spectra_bot\nspectra_bot.Workflow('a b')", "workflow name 'a b'"),
    ],
)
def test_place_that_cannot_be_loaded_says_why(place: str, text: str | None, said: str) -> None:
    if text is not None:
        file(place, text)

    with pytest.raises(DefinitionError) as caught:
        load_workflows([place])

    assert said in str(caught.value)


def test_line_that_failed_is_the_authors_own() -> None:
    place = file("bad.py", "import spectra_bot\n\nspectra_bot.Workflow('a b')\n")

    with pytest.raises(DefinitionError, match=rf"\({place}, line 3\)"):
        load_workflows(["bad.py"])


def test_folder_is_no_file_of_workflows() -> None:
    file("flows/a.py", "")

    with pytest.raises(DefinitionError, match="is a folder; name a file in it"):
        load_workflows(["./flows"])


def test_two_workflows_of_one_name_are_refused_with_both_places() -> None:
    file("a.py", ONE.format(name="deploy"))
    file("b.py", ONE.format(name="deploy"))

    with pytest.raises(DefinitionError, match=r"two workflows are named 'deploy': in a\.py and in b\.py"):
        load_workflows(["a.py", "b.py"])
