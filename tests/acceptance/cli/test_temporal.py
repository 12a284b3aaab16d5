"""The program on Temporal: the same commands, and a bot of which two may serve."""

from __future__ import annotations

import asyncio
import signal
from typing import NoReturn

import pytest
from click.testing import CliRunner, Result

from spectra_bot import HumanGateStep, StoreError, TemporalOptions, Workflow, WorkflowRunner
from spectra_bot.cli import main
from spectra_bot.demo.sample import make_sample
from spectra_bot.temporal.waiting import Waiting
from spectra_bot.testing import FakeSlack
from tests.acceptance.cli.program import Program, commands_in
from tests.acceptance.cli.test_serve import Serving, ended, posts, seen, settings

ASKING = """
from spectra_bot import HumanGateStep, Workflow
asking = Workflow("asking")
asking.add("gate", HumanGateStep("Ship it?"))
"""


@pytest.fixture
def program(program_on_temporal: Program) -> Program:
    return program_on_temporal


async def test_release_is_started_and_approved_in_slack(program: Program) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack() as slack:
        program.env |= settings(slack, SLACK_SIGNING_SECRET=slack.signing_secret)
        serving = Serving(program, "--port", "0")
        try:
            await serving.says("Temporal: 127")
            slack.app_url = (await serving.says(r"Listening: (http://\S+)"))[1]

            await slack.command("/spectra", f"run release source={source} target={target}")
            (question,) = await seen(slack, lambda: posts(slack, "Release 4 files"))
            await slack.click(question, "Approve")
            await seen(slack, lambda: ended(slack, question))

            assert (target / "site/spring.html").is_file()
            assert await serving.stop(signal.SIGTERM) == 0
        finally:
            serving.kill()
    assert "Traceback" not in "\n".join(serving.said)
    assert not (program.folder / "spectra.db").exists()


async def test_run_that_one_command_started_is_listed_answered_and_shown_by_others(program: Program) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack() as slack:
        program.env |= settings(slack, SLACK_SIGNING_SECRET=slack.signing_secret)
        serving = Serving(program, "--port", "0")
        try:
            await serving.says(r"Listening: (http://\S+)")

            words = ("run", "release", f"source={source}", f"target={target}", "--json")
            started = await asyncio.to_thread(program, *words)
            (waiting,) = (await asyncio.to_thread(program, "pending", "--json")).records
            answered = await asyncio.to_thread(program, "answer", waiting["id"], "approve", "--json")
            (listed,) = (await asyncio.to_thread(program, "runs", "--json")).records
            doctor = await asyncio.to_thread(program, "doctor")

            assert started.code == 3, started.err
            assert answered.code == 0, answered.err
            assert listed["status"] == "completed"
            assert f"{program.env['TEMPORAL_ADDRESS']}, namespace default lets us in" in doctor.out + doctor.err
            assert "ok      workers: somebody takes work from task queue" in doctor.out
            assert "Warning" not in started.err + answered.err
        finally:
            serving.kill()


def test_question_of_a_run_that_was_started_at_a_terminal_is_shown_with_the_commands_that_answer_it(
    program: Program,
) -> None:
    program.env["SPECTRA_WORKFLOWS"] = "spectra_bot.demo.release"
    source, target = make_sample(program.folder)
    working = Serving(program, command="worker")
    try:
        with program.on_terminal("run", "release", f"source={source}", f"target={target}") as terminal:
            terminal.expect("Release 4 files")
            terminal.expect("To answer the question of step approve, run one of:")
            code = terminal.wait()
    finally:
        working.kill()

    assert code == 3
    assert len(commands_in(terminal.shown)) == 3


def test_change_that_nobody_works_on_is_told_so_and_is_a_problem_from_then_on(program: Program) -> None:
    source, target = make_sample(program.folder)
    words = ("run", "release", f"source={source}", f"target={target}", "--workflows", "spectra_bot.demo.release")
    nobody = f"no worker takes work from task queue {program.folder.name}: start `spectra-bot worker`"

    before = program("doctor")
    starting = program.start(*words)
    try:
        assert starting.stderr is not None
        told = starting.stderr.readline()
        begun = starting.stderr.readline()
    finally:
        starting.kill()
        starting.communicate()
    after = program("doctor")

    assert told.strip() == f"Warning: {nobody}"
    assert begun.startswith("Run ")
    assert f"off     workers: {nobody}" in before.out
    assert f"problem workers: {nobody}" in after.out


def test_command_for_database_files_says_that_there_is_none(program: Program) -> None:
    refused = program("backup", "copy.db")

    assert refused.code == 2
    assert "runs are in Temporal" in refused.err


def test_demo_says_that_its_database_is_a_file(program: Program) -> None:
    refused = program("demo", "--answer", "approve")

    assert refused.code == 2
    assert "unset SPECTRA_ENGINE for it" in refused.err


@pytest.mark.parametrize(
    ("address", "why"), [("127.0.0.1:1", "Connection refused"), ("my host:7233", "invalid target URL")]
)
def test_server_that_is_not_there_is_named_with_what_to_see_to(program: Program, address: str, why: str) -> None:
    program.env["TEMPORAL_ADDRESS"] = address

    failed = program("runs")
    doctor = program("doctor")

    assert (failed.code, doctor.code) == (4, 1)
    for said in (failed.err, doctor.out):
        assert f"Temporal at {address} can't be used: {why}" in said
        assert "see that it runs there, and TEMPORAL_ADDRESS (HOST:PORT)" in said
        assert "Traceback" not in said


@pytest.mark.parametrize("command", ["runs", "worker"])
@pytest.mark.parametrize("package", ["temporalio", "fsspec"])
def test_missing_extra_is_told_with_the_command_that_installs_it(program: Program, package: str, command: str) -> None:
    program.env["SPECTRA_WORKFLOWS"] = "spectra_bot.demo.release"
    (program.folder / f"{package}.py").write_text(f"raise ModuleNotFoundError('none', name='{package}')")
    program.env["PYTHONPATH"] = f"{program.folder}:{program.env['PYTHONPATH']}"

    failed = program(command)

    assert failed.code == 2
    assert f"{package} is not installed: " in failed.err
    assert "-m pip install 'spectra-bot[temporal]'" in failed.err
    assert "Traceback" not in failed.err


def test_run_that_nobody_takes_up_is_stored_and_its_command_says_so(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_sample(program.folder)
    impatient_here(program, monkeypatch)

    told = typed("run", "release", f"source={source}", f"target={target}", "--run-id", "stored")
    again = program("runs", "--json")

    assert told.exit_code == 3, told.output
    assert "Error: that is stored, but run stored could not be reached in Temporal" in told.output
    assert "show stored" in told.output
    assert [run["run_id"] for run in again.records] == ["stored"]


def test_cancel_that_nobody_takes_may_be_recorded_yet_and_is_not_told_as_a_refusal(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_sample(program.folder)
    impatient_here(program, monkeypatch)
    typed("run", "release", f"source={source}", f"target={target}", "--run-id", "kept")

    told = typed("cancel", "kept")

    assert told.exit_code == 3, told.output
    assert "Error: run kept: this is not recorded yet" in told.output


async def test_answer_that_is_stored_is_told_so_where_nobody_says_how_its_run_stands(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_waiting: Waiting, run_id: str, *, over: bool) -> NoReturn:
        raise StoreError(f"run {run_id} could not be reached")

    workflow = Workflow("asking")
    workflow.add("gate", HumanGateStep("Ship it?"))
    options = TemporalOptions(address=program.env["TEMPORAL_ADDRESS"], task_queue=program.folder.name)
    async with WorkflowRunner(workflows=[workflow], temporal=options) as bot:
        [request] = (await bot.run("asking")).pending
        loaded = program.file("asking.py", ASKING)
        with monkeypatch.context() as patched:
            impatient_here(program, patched)
            patched.setattr("spectra_bot.temporal.waiting.Waiting.until_rest", silent)
            told = await asyncio.to_thread(typed, "answer", request.id, "approve", workflows=str(loaded))
        record = await bot.get_interrupt(request.id)

    assert told.exit_code == 3, told.output
    assert f"Error: that is stored, but run {request.run_id} could not be reached" in told.output
    assert record.response is not None


def impatient_here(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are typed in this process go to the program's place, and give up soon."""
    for name in ("SPECTRA_ENGINE", "TEMPORAL_ADDRESS", "SPECTRA_TEMPORAL_TASK_QUEUE"):
        monkeypatch.setenv(name, program.env[name])
    monkeypatch.setattr("spectra_bot.temporal.waiting.UNANSWERED_S", 0.0)
    monkeypatch.setattr("spectra_bot.temporal.calls.CALL_S", 0.5)


def typed(*words: str, workflows: str = "spectra_bot.demo.release") -> Result:
    return CliRunner().invoke(main, [*words, "--workflows", workflows])
