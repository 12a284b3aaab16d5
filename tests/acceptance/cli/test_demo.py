"""README command one, and what it leaves behind."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from spectra_bot.demo.folders import MANIFEST, contents
from spectra_bot.demo.sample import make_sample
from tests.acceptance.cli.program import Program, commands_in


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "temporary").mkdir()
    return Program(tmp_path, {"TMPDIR": str(tmp_path / "temporary")})


def place_of(program: Program) -> Path:
    (place,) = (program.folder / "temporary").iterdir()
    return place


def is_released(place: Path) -> bool:
    return (place / "target/site/spring.html").is_file()


def test_approved_demo_changes_real_files_and_shows_them(program: Program) -> None:
    done = program("demo", "--answer", "approve")

    assert done.code == 0, done.err
    place = place_of(program)
    after = dict(contents(place / "target"))
    assert {**after, **dict(contents(place / "source"))} == after
    assert "coffee: 3.10" in done.out
    assert json.loads(after[MANIFEST])["files"].keys() <= after.keys()


def test_rejected_demo_says_that_nothing_was_changed(program: Program) -> None:
    done = program("demo", "--answer", "reject")

    assert done.code == 1
    assert "Nothing was changed." in done.out
    assert not is_released(place_of(program))


def test_without_a_terminal_it_prints_a_command_that_answers_from_anywhere(program: Program, tmp_path: Path) -> None:
    stopped = program("demo")
    assert stopped.code == 3
    assert "-coffee: 2.80" in stopped.out
    approve, _, modify = commands_in(stopped.out)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    modified = program.type(modify, cwd=elsewhere)
    late = program.type(approve, cwd=elsewhere)
    done = program.type(commands_in(modified.out)[0], cwd=elsewhere)

    assert modified.code == 3, modified.err
    assert (late.code, "was answered 'modify'" in late.err) == (4, True)
    assert done.code == 0, done.err
    assert is_released(place_of(program))
    assert b"2.80" in (place_of(program) / "target/config/prices.yaml").read_bytes()


def test_it_works_on_folders_of_ones_own(program: Program) -> None:
    source, target = make_sample(program.folder)

    done = program("demo", "--source", "source", "--target", "target", "--db", "own.db", "--answer", "approve")
    again = program("demo", "--source", "source", "--target", "target", "--db", "own.db")

    assert done.code == 0, done.err
    assert (target / "site/spring.html").read_bytes() == (source / "site/spring.html").read_bytes()
    assert again.code == 0
    assert "Nothing to release" in again.out
    assert len(program("runs", "--db", "own.db", "--json").records) == 2
    assert not list((program.folder / "temporary").iterdir())


def test_one_folder_alone_is_refused(program: Program) -> None:
    done = program("demo", "--source", "x")

    assert done.code == 2
    assert "--source and --target go together" in done.err


def test_workflows_of_ones_own_are_refused(program: Program) -> None:
    done = program("demo", "--workflows", "mine.py")

    assert done.code == 2
    assert "demo runs a workflow of its own and takes no --workflows" in done.err
    assert not list((program.folder / "temporary").iterdir())


def test_record_is_all_that_json_prints(program: Program) -> None:
    done = program("demo", "--answer", "approve", "--json")

    assert done.records["status"] == "completed"


def test_person_at_a_terminal_leaves_files_out_and_approves(program: Program) -> None:
    with program.on_terminal("demo") as terminal:
        terminal.expect("Release 4 files")
        terminal.expect("Your decision")
        terminal.type("mod\n")
        terminal.expect("Files to leave out")
        terminal.type("nope\n")
        terminal.expect("leave_out: [0]: Input should be")
        terminal.type("site/spring.html\n")
        terminal.expect("Note (optional)")
        terminal.type("\n")
        terminal.expect("Release 3 files")
        terminal.expect("Your decision")
        terminal.type("approve\n")
        terminal.expect("Note (optional)")
        terminal.type("go\n")
        terminal.expect("completed")

        assert terminal.wait() == 0
    assert not is_released(place_of(program))
    assert b"3.10" in (place_of(program) / "target/config/prices.yaml").read_bytes()


@pytest.mark.parametrize("way", ["ctrl-d", "ctrl-c", "empty"])
def test_person_who_leaves_it_open_is_told_how_to_answer_later(program: Program, way: str) -> None:
    with program.on_terminal("demo") as terminal:
        terminal.expect("Your decision")
        match way:
            case "ctrl-d":
                terminal.type("\x04")
            case "ctrl-c":
                terminal.press_ctrl_c()
            case _:
                terminal.type("\n")
        terminal.expect("To answer the question of step approve")

        assert terminal.wait() == 3
        command = next(line for line in commands_in(terminal.shown) if " approve " in line)
    assert "Traceback" not in terminal.shown
    assert program.type(command, cwd=program.folder).code == 0
    assert is_released(place_of(program))


def test_answer_from_elsewhere_ends_the_prompt_and_the_run_goes_on(program: Program) -> None:
    with program.on_terminal("demo") as terminal:
        terminal.expect("Your decision")
        db = str(place_of(program) / "spectra.db")
        (pending,) = program("pending", "--db", db, "--json").records

        answered = program("answer", pending["id"], "approve", "--db", db, "--workflows", "spectra_bot.demo.release")

        terminal.expect("is closed here: answered elsewhere")
        terminal.expect("completed")
        assert terminal.wait() == 0
    assert answered.code == 0, answered.err
    assert is_released(place_of(program))


def test_process_killed_while_it_writes_is_carried_on_by_the_same_answer(program: Program) -> None:
    source, target = program.folder / "source", program.folder / "target"
    source.mkdir()
    target.mkdir()
    for number in range(600):
        (source / f"{number}.txt").write_text(f"page {number}")
    words = (f"source={source}", f"target={target}", "--workflows", "spectra_bot.demo.release")
    stopped = program("run", "release", *words)
    approve = commands_in(stopped.out)[0]

    writing = program.start(*shlex.split(approve)[1:])
    while writing.poll() is None and len(list(target.iterdir())) < 100:
        pass
    writing.kill()
    writing.communicate()
    done = program.type(approve, cwd=program.folder)

    assert done.code == 0, done.err
    assert {**dict(contents(target)), **dict(contents(source))} == dict(contents(target))
    (run,) = program("runs", "--json").records
    events = [line["event"] for line in program("history", run["run_id"], "--json").records]
    assert events.count("InterruptAnswered") == 1
