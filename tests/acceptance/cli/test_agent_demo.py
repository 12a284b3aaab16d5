"""`demo --agent`: tests really fail, and are mended by the word of a person."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spectra_bot.demo.sample import PRICES, make_failing_sample
from tests.acceptance.cli.program import Program, commands_in
from tests.acceptance.cli.terminal import Pseudo

WORKFLOW = ("--workflows", "spectra_bot.demo.triage")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "temporary").mkdir()
    # The folder's pytest inherits that warnings are errors, and plugins of this environment warn.
    return Program(tmp_path, {"TMPDIR": str(tmp_path / "temporary"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})


def prices_of(program: Program) -> str:
    (place,) = (program.folder / "temporary").iterdir()
    return (place / "shop/prices.py").read_text()


def decide(terminal: Pseudo, option: str, *, note: str = "") -> None:
    """Answer the question that is asked next."""
    terminal.expect("Your decision")
    terminal.type(f"{option}\n")
    terminal.expect("Why (empty: none)" if option == "reject" else "Note (optional)")
    terminal.type(f"{note}\n")


def test_approved_patch_mends_the_sample(program: Program) -> None:
    done = program("demo", "--agent", "--answer", "approve")

    assert done.code == 0, done.err
    assert "a script that knows this sample stands in for it" in done.err
    assert "Fixed: 3 passed (before: 1 failed, 2 passed)" in done.out
    assert "percent // 100" in prices_of(program)
    (undo,) = [line for line in done.out.splitlines() if line.startswith("  cd ") and "git apply -R" in line]
    subprocess.run(["sh", "-c", undo], check=True)
    assert prices_of(program) == PRICES


def test_rejected_patches_change_nothing(program: Program) -> None:
    done = program("demo", "--agent", "--answer", "reject", "--json")

    assert done.code == 0, done.err
    assert done.records["outputs"]["run_tests_again"]["outcome"] == "still failing"
    assert prices_of(program) == PRICES


def test_without_a_terminal_it_prints_commands_that_answer_from_anywhere(program: Program, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    stopped = program("demo", "--agent")
    apply, reject, edit = commands_in(stopped.out)
    edited = program.type(edit.replace("percent // 100", "percent / 100"), cwd=elsewhere)
    done = program.type(commands_in(edited.out)[0], cwd=elsewhere)

    assert (stopped.code, edited.code, done.code) == (3, 3, 0), stopped.err + edited.err + done.err
    assert [shlex.split(command)[3] for command in (apply, reject, edit)] == ["apply", "reject", "edit"]
    assert "--data" not in reject
    assert "Apply this patch, as edited?" in edited.out
    assert "percent / 100" in prices_of(program)


def test_person_at_a_terminal_rejects_and_then_applies(program: Program) -> None:
    with program.on_terminal("demo", "--agent") as terminal:
        decide(terminal, "reject", note="in another way")
        terminal.expect("The same in another way")
        decide(terminal, "apply")
        terminal.expect("Fixed: 3 passed")

        assert terminal.wait() == 0
    assert "(100 - percent) // 100" in prices_of(program)


def test_person_at_a_terminal_edits_the_patch_in_their_editor(program: Program) -> None:
    program.env["EDITOR"] = "sed -i 's|// 100|/ 100|'"
    with program.on_terminal("demo", "--agent") as terminal:
        terminal.expect("Your decision")
        terminal.type("edit\n")
        terminal.expect("in the editor")
        terminal.expect("Note (optional)")
        terminal.type("\n")
        terminal.expect("Apply this patch, as edited?")
        decide(terminal, "apply")
        terminal.expect("Fixed: 3 passed")

        assert terminal.wait() == 0
    assert "percent / 100" in prices_of(program)


def test_without_an_editor_the_question_is_left_open(program: Program) -> None:
    program.env["EDITOR"] = "no-such-editor"
    with program.on_terminal("demo", "--agent") as terminal:
        terminal.expect("Your decision")
        terminal.type("edit\n")
        terminal.expect("no-such-editor: Editing failed")
        terminal.expect("Left open")

        assert terminal.wait() == 3
    assert prices_of(program) == PRICES


def test_without_the_extra_it_says_how_to_install_it(program: Program, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked/pydantic_ai"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ModuleNotFoundError('not here', name='pydantic_ai')")
    program.env["PYTHONPATH"] = f"{blocked.parent}:{program.env['PYTHONPATH']}"

    demo = program("demo", "--agent")
    run = program("run", "triage", "folder=.", *WORKFLOW)

    assert (demo.code, run.code) == (2, 2)
    for said in (demo.err, run.err):
        assert "-m pip install 'spectra-bot[agent]'" in said
        assert "Traceback" not in said
    assert not list((program.folder / "temporary").iterdir())


@pytest.mark.parametrize(
    ("words", "model", "said"),
    [
        (["--folder", "shop"], "", "set SPECTRA_AGENT_MODEL to one by its name in pydantic-ai"),
        ([], "no-such-model", "the model no-such-model can't be used (SPECTRA_AGENT_MODEL): Unknown model"),
        ([], "openai-chat:gpt-4o", "Set the `OPENAI_API_KEY` environment variable"),
        (["--source", "a", "--target", "b"], "", "--source and --target are not for --agent"),
    ],
)
def test_call_that_can_not_work_is_refused(program: Program, words: list[str], model: str, said: str) -> None:
    make_failing_sample(program.folder)
    program.env["SPECTRA_AGENT_MODEL"] = model

    done = program("demo", "--agent", *words)

    assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
    assert not list((program.folder / "temporary").iterdir())


def test_folder_alone_is_refused(program: Program) -> None:
    done = program("demo", "--folder", ".")

    assert (done.code, "--folder goes with --agent" in done.err) == (2, True)


def test_run_without_a_model_says_what_to_set_before_it_runs_a_test(program: Program) -> None:
    make_failing_sample(program.folder)

    done = program("run", "triage", "folder=shop", "command=touch ran", *WORKFLOW)

    assert done.code == 1
    assert "set SPECTRA_AGENT_MODEL" in done.out
    assert not (program.folder / "shop/ran").exists()


def test_doctor_tells_of_the_model(program: Program) -> None:
    off = program("doctor")
    program.env["SPECTRA_AGENT_MODEL"] = "offline"
    fine = program("doctor")
    program.env["SPECTRA_AGENT_MODEL"] = "openai-chat:gpt-4o"
    problem = program("doctor")

    assert (off.code, fine.code, problem.code) == (0, 0, 1)
    assert "agent: SPECTRA_AGENT_MODEL is not set" in off.out
    assert "agent: the model offline is there" in fine.out
    assert "OPENAI_API_KEY" in problem.out


def test_process_killed_after_it_applied_a_patch_applies_it_once(program: Program) -> None:
    folder = make_failing_sample(program.folder)
    (folder / "tests.sh").write_text(
        "if grep -q '// 100' prices.py && [ ! -e killed ]; then touch killed; kill -9 $PPID; exit 1; fi\n"
        f"exec {shlex.quote(sys.executable)} -m pytest -q\n"
    )
    words = ("run", "triage", f"folder={folder}", "command=sh tests.sh", "model=offline", "--run-id", "t-1", *WORKFLOW)
    approve = commands_in(program(*words).out)[0]

    killed = program.type(approve, cwd=program.folder)
    applied = (folder / "prices.py").stat()
    done = program.type(approve, cwd=program.folder)

    assert (killed.code, (folder / "killed").exists()) == (-9, True)
    assert done.code == 0, done.err
    assert "Fixed: 3 passed" in done.out
    now = (folder / "prices.py").stat()
    assert (now.st_ino, now.st_mtime_ns) == (applied.st_ino, applied.st_mtime_ns)
    assert len(list((folder / ".triage").glob("*.patch"))) == 1
    stored = [json.dumps(line) for line in program("history", "t-1", "--json").records if line["event"] == "OnceStored"]
    assert sum("/apply" in line for line in stored) == 1
