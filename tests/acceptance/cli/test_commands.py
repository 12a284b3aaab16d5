"""The commands on a workflow of one's own, each a process of its own on one database file."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program, commands_in

WORKFLOW = """
from pydantic import BaseModel, SecretStr
from spectra_bot import HumanGateStep, InterruptRequest, StepContext, StepResult, Workflow

class Inputs(BaseModel):
    env: str
    replicas: int = 2
    token: SecretStr = SecretStr("")

class Size(BaseModel):
    replicas: int

deploy = Workflow("deploy", inputs=Inputs, description="Ship a release")

@deploy.step
async def plan(ctx: StepContext):
    return {"replicas": ctx.inputs.replicas}

@deploy.step
async def approve(ctx: StepContext):
    response = await ctx.interrupt(InterruptRequest(
        reason=f"Ship to {ctx.inputs.env}?", data={"plan": ctx.outputs["plan"], "password": "hunter2"},
        options=("approve", "reject", "modify"), approvers=["U1"] if ctx.inputs.env == "guarded" else []))
    if not response.approved:
        return StepResult.failed(f"{response.option}: {response.notes}")
    return {"by": response.responder}

@deploy.step
async def ship(ctx: StepContext):
    if ctx.inputs.env == "broken":
        import pathlib
        if not pathlib.Path("mended").exists():
            raise RuntimeError("the cluster is on fire")
    return {"shipped": True}
"""


@pytest.fixture
def deploy(program: Program) -> Program:
    program.file("deploy.py", WORKFLOW)
    program.env["SPECTRA_WORKFLOWS"] = "deploy.py"
    return program


def test_run_stops_at_the_question_and_the_printed_command_finishes_it(deploy: Program, tmp_path: Path) -> None:
    stopped = deploy("run", "deploy", "env=prod", "replicas=3")
    assert stopped.code == 3, stopped.err
    assert "Ship to prod?" in stopped.out
    assert "hunter2" not in stopped.out
    deploy.env.pop("SPECTRA_WORKFLOWS")
    (tmp_path / "else").mkdir()

    done = deploy.type(f"{commands_in(stopped.out)[0]} --note 'go on'", cwd=tmp_path / "else")

    assert done.code == 0, done.err
    assert "completed" in done.out


def test_records_have_one_shape_and_hold_no_secrets(deploy: Program) -> None:
    run = deploy("run", "deploy", "env=prod", "token=s3cret", "--json")
    run_id = run.records["run_id"]

    shown = deploy("show", run_id, "--json")
    lists = [deploy(name, "--json").records for name in ("pending", "runs", "workflows")]
    history = deploy("history", run_id, "--json")

    assert run.records["pending"][0]["options"][0]["id"] == "approve"
    assert [step["phase"] for step in shown.records["steps"]] == ["completed", "interrupted", "waiting"]
    assert [len(records) for records in lists] == [1, 1, 1]
    assert history.records[0]["event"] == "RunStarted"
    for text in (run.out, shown.out, history.out, json.dumps(lists)):
        assert "hunter2" not in text
        assert "s3cret" not in text


def test_options_are_taken_before_and_after_the_command(program: Program) -> None:
    program.file("deploy.py", WORKFLOW)

    before = program("--db", "a.db", "--workflows", "deploy.py", "--json", "run", "deploy", "env=x")
    after = program("runs", "--json", "--db", "a.db")

    assert before.code == 3, before.err
    assert [run["run_id"] for run in after.records] == [before.records["run_id"]]


def test_show_tells_each_step_and_who_decided(deploy: Program) -> None:
    stopped = deploy("run", "deploy", "env=prod")
    deploy.type(f"{commands_in(stopped.out)[0]} --note 'looks good'", cwd=deploy.folder)
    (run,) = deploy("runs", "--json").records

    shown = deploy("show", run["run_id"]).out

    assert re.search(r"✓ plan completed · \d", shown)
    assert re.search(r"approve by cli:\w+ at .*Ship to prod\?", shown)
    assert "note: looks good" in shown


@pytest.mark.parametrize(
    "words", [["show"], ["history"], ["cancel"], ["retry"], ["pending", "--run"], ["runs", "--workflow"]]
)
def test_name_that_is_no_text_is_told_to_be_none(deploy: Program, words: list[str]) -> None:
    deploy("run", "deploy", "env=prod")

    done = deploy(*words, "r-\udcff")

    assert done.code == 2
    assert "is not Unicode text, so nothing here is named so" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "deplo"], 2, "no workflow named 'deplo'; loaded: deploy; did you mean deploy?"),
        (["run", "deploy"], 2, "inputs of deploy: env: Field required; `spectra-bot workflows` lists what it takes"),
        (["run", "deploy", "env=x", "replicas=many"], 2, "replicas: Input should be a valid integer"),
        (["run", "deploy", "env=x", "replica=1"], 2, "did you mean replicas?"),
        (["run", "deploy", "env=x", "--run-id", "a b"], 2, "'a b' is no id: it must be one word, without spaces"),
        (["run", "deploy", "env=x", "--run-id", ""], 2, "'' is no id"),
        (["run", "deploy", "env=x", "--run-id", "a\n"], 2, "is no id"),
        (["run", "deploy", "env=x", "--run-id", "\udcff"], 2, "is not Unicode text"),
        (["answer", "i-nope", "approve", "--data", "[" * 9_000], 2, "--data is nested too deeply"),
        (["run", "deploy", "prod"], 2, "'prod' is not key=value"),
        (["run", "deploy", "--workflows", "gone.py", "env=x"], 2, "gone.py: there is no such file"),
        (["answer", "i-nope", "approve"], 4, "no database"),
        (["show", "r-nope"], 4, "no database"),
        (["shwo"], 2, "no command 'shwo'; did you mean show?"),
        (["serve"], 2, "SLACK_BOT_TOKEN is not set"),
    ],
)
def test_mistake_is_one_clear_line_and_makes_no_database(
    deploy: Program, words: list[str], code: int, said: str
) -> None:
    done = deploy(*words)

    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (deploy.folder / "spectra.db").exists()


@pytest.mark.parametrize(
    "words", [["run", "deploy", "env=x"], ["answer", "i-1", "approve"], ["pending"], ["show", "r-1"], ["serve"]]
)
def test_database_in_a_folder_that_is_missing_is_told_as_such(deploy: Program, words: list[str]) -> None:
    deploy.env |= {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "x"}

    done = deploy(*words, "--db", "missing/x.db")

    assert done.code == 2
    assert f"the folder {deploy.folder / 'missing'} of the database is missing; make it" in done.err
    assert "Traceback" not in done.err


def test_misspelt_ids_and_options_are_told_with_what_was_meant(deploy: Program) -> None:
    record = deploy("run", "deploy", "env=prod", "--json").records
    run_id, interrupt_id = record["run_id"], record["pending"][0]["id"]

    tries = {
        "run": deploy("show", run_id[:-1]),
        "interrupt": deploy("answer", interrupt_id[:-1], "approve"),
        "run for an interrupt": deploy("answer", run_id, "approve"),
        "interrupt for a run": deploy("show", interrupt_id),
        "option": deploy("answer", interrupt_id, "aprove"),
    }

    assert [done.code for done in tries.values()] == [4, 4, 4, 4, 4]
    assert f"did you mean {run_id}?" in tries["run"].err
    assert f"did you mean {interrupt_id}?" in tries["interrupt"].err
    assert f"its pending interrupts are: {interrupt_id}" in tries["run for an interrupt"].err
    assert f"that is an interrupt, and its run is {run_id}" in tries["interrupt for a run"].err
    assert "did you mean approve?" in tries["option"].err


def test_unknown_ids_are_told_with_the_command_that_lists_them(deploy: Program) -> None:
    deploy("run", "deploy", "env=prod", "--run-id", "mine")

    answered = deploy("answer", "zzz", "approve")
    pending = deploy("pending", "--run", "zzz")

    assert (answered.code, "no interrupt 'zzz' in this database; `spectra-bot pending`" in answered.err) == (4, True)
    assert (pending.code, "no run 'zzz' in this database; `spectra-bot runs`" in pending.err) == (4, True)
    assert deploy("pending", "--run", "mine").code == 0


def test_refused_answers_end_with_four_and_change_nothing(deploy: Program) -> None:
    guarded = deploy("run", "deploy", "env=guarded", "--json").records["pending"][0]["id"]
    open_to_all = deploy("run", "deploy", "env=prod", "--json").records["pending"][0]["id"]
    deploy("answer", open_to_all, "reject", "--note", "no")

    not_allowed = deploy("answer", guarded, "approve")
    second = deploy("answer", open_to_all, "approve")

    assert (not_allowed.code, "may not decide this; those who may: U1" in not_allowed.err) == (4, True)
    assert (second.code, "was answered 'reject' by cli:" in second.err) == (4, True)
    assert [request["id"] for request in deploy("pending", "--json").records] == [guarded]


def test_modification_that_says_nothing_is_refused_with_how_to_say_it(deploy: Program) -> None:
    (request,) = deploy("run", "deploy", "env=prod", "--json").records["pending"]

    empty = deploy("answer", request["id"], "modify")
    waiting = deploy("pending", "--json").records
    noted = deploy("answer", request["id"], "modify", "--note", "fewer")

    assert empty.code == 4
    assert "modify asks for: What should change?" in empty.err
    assert """modify --data '{"notes": "..."}'""" in empty.err
    assert [open_one["id"] for open_one in waiting] == [request["id"]]
    assert "modify: fewer" in noted.out


def test_decision_is_stored_though_the_workflow_is_not_loaded(deploy: Program) -> None:
    stopped = deploy("run", "deploy", "env=prod", "--run-id", "mine", "--json").records
    deploy.env.pop("SPECTRA_WORKFLOWS")

    words = ("answer", stopped["pending"][0]["id"], "approve")
    stored = deploy(*words)
    carried_on = deploy(*words, "--workflows", "deploy.py")

    assert stored.code == 0, stored.err
    assert "Stored: approve by cli:" in stored.out
    assert "Workflow 'deploy' is not loaded here" in stored.out
    assert "or this command again with --workflows" in stored.out
    assert carried_on.code == 0, carried_on.err


def test_retry_of_a_workflow_that_is_not_loaded_runs_nothing_and_says_so(deploy: Program) -> None:
    stopped = deploy("run", "deploy", "env=prod", "--run-id", "mine", "--json").records
    assert deploy("answer", stopped["pending"][0]["id"], "reject").code == 1
    deploy.env.pop("SPECTRA_WORKFLOWS")

    retried = deploy("retry", "mine")

    assert retried.code == 2
    assert "nothing is run again: workflow 'deploy' is not loaded here" in retried.err
    assert "carries the run on" not in retried.err
    assert [run["status"] for run in deploy("runs", "--json").records] == ["failed"]


def test_same_run_id_with_other_inputs_is_refused(deploy: Program) -> None:
    deploy("run", "deploy", "env=prod", "--run-id", "mine")

    other = deploy("run", "deploy", "env=staging", "--run-id", "mine")

    assert (other.code, "exists already" in other.err) == (4, True)


def test_cancelling_is_done_as_asked_and_a_cancelled_run_can_be_neither_cancelled_nor_answered(deploy: Program) -> None:
    record = deploy("run", "deploy", "env=prod", "--json").records
    run_id, interrupt_id = record["run_id"], record["pending"][0]["id"]
    deploy.env.pop("SPECTRA_WORKFLOWS")

    cancelled = deploy("cancel", run_id, "--reason", "wrong branch")
    again = deploy("cancel", run_id)
    answered = deploy("answer", interrupt_id, "approve")

    assert cancelled.code == 0
    assert f"Run {run_id} of deploy: cancelled by cli:" in cancelled.out
    assert (again.code, answered.code) == (4, 4)
    assert "nothing to cancel" in again.err


def test_failed_run_is_retried_and_keeps_its_approval(deploy: Program) -> None:
    stopped = deploy("run", "deploy", "env=broken")
    failed = deploy.type(commands_in(stopped.out)[0], cwd=deploy.folder)
    (run,) = deploy("runs", "--json").records
    deploy.file("mended", "")

    retried = deploy("retry", run["run_id"])

    assert (failed.code, "the cluster is on fire" in failed.out) == (1, True)
    assert retried.code == 0, retried.err


def test_failed_run_is_retried_from_a_step_and_asks_anew(deploy: Program) -> None:
    stopped = deploy("run", "deploy", "env=broken")
    deploy.type(commands_in(stopped.out)[0], cwd=deploy.folder)
    (run,) = deploy("runs", "--json").records
    deploy.file("mended", "")

    shown = deploy("show", run["run_id"])
    unknown = deploy("retry", run["run_id"], "--from", "plam")
    retried = deploy("retry", run["run_id"], "--from", "plan")
    history = deploy("history", run["run_id"])
    done = deploy.type(commands_in(retried.out)[0], cwd=deploy.folder)

    assert f"retry {run['run_id']}" in shown.out
    assert "add --from with one of: plan, approve, ship" in shown.out
    assert (unknown.code, "its steps: plan, approve, ship" in unknown.err) == (4, True)
    assert (retried.code, "Ship to broken?" in retried.out) == (3, True)
    assert all(part in history.out for part in ("RunRetried", '"from_step": "plan"', "cli:"))
    assert (done.code, "completed" in done.out) == (0, True)


def test_help_of_retry_says_what_is_done_again(program: Program) -> None:
    told = " ".join(program("retry", "--help").out.split())

    assert "effects are done again, those in `once` too, and their questions are asked anew" in told


def test_nothing_there_yet_comes_with_a_hint(program: Program) -> None:
    runs, pending, workflows = program("runs"), program("pending"), program("workflows")

    assert [done.code for done in (runs, pending, workflows)] == [0, 0, 0]
    assert "No runs yet. Start one:" in runs.out
    assert "Nothing waits for an answer." in pending.out
    assert "--workflows MODULE_OR_FILE" in workflows.out
    assert list(program.folder.iterdir()) == []


def test_commands_that_read_leave_a_waiting_run_alone(deploy: Program) -> None:
    deploy("run", "deploy", "env=prod")
    (run,) = deploy("runs", "--json").records

    for words in (["show", run["run_id"]], ["history", run["run_id"]], ["pending"], ["doctor"]):
        assert deploy(*words).code == 0
    assert deploy("runs", "--json").records == [run]


def test_questions_go_to_the_terminal_and_the_record_to_standard_output(deploy: Program, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with deploy.on_terminal("run", "deploy", "env=prod", "--json", stdout=out) as terminal:
        terminal.expect("Ship to prod?")
        terminal.expect("Your decision")
        terminal.type("1\n\n")
        terminal.expect("✓ ship")

        assert terminal.wait() == 0
    assert json.loads(out.read_text())["status"] == "completed"


def test_doctor_names_what_is_wrong_and_what_to_do(program: Program) -> None:
    program.env |= {"SPECTRA_WORKFLOW": "x.py", "SLACK_APP_TOKEN": "xoxb-1", "SPECTRA_DB": "no/such/folder/a.db"}

    done = program("doctor")

    assert done.code == 1
    assert "SPECTRA_WORKFLOW is no setting; did you mean SPECTRA_WORKFLOWS?" in done.out
    assert "SLACK_BOT_TOKEN is not set" in done.out
    assert "SLACK_APP_TOKEN is no app-level token" in done.out
    assert "is no folder; make it" in done.out
    assert "1" not in re.findall(r"xoxb-(\d)", done.out)


def test_doctor_tells_bad_settings_and_makes_the_other_checks(deploy: Program) -> None:
    deploy.env |= {"SPECTRA_PORT": "99999", "SPECTRA_LOG_LEVEL": "loud"}

    done = deploy("doctor")

    assert done.code == 1
    assert done.err == ""
    assert re.search("problem +settings: SPECTRA_PORT: .*65535", done.out)
    assert re.search("problem +settings: SPECTRA_LOG_LEVEL: ", done.out)
    assert "every SPECTRA_ variable is known" not in done.out
    assert "workflows: loaded: deploy" in done.out
    assert "database: " in done.out


def test_doctor_says_that_slack_is_not_reached_and_what_to_do(program: Program) -> None:
    program.env |= {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "SPECTRA_SLACK_API_URL": "http://127.0.0.1:9/api/",
    }

    done = program("doctor")

    assert done.code == 1
    assert done.out.count("Slack can't be reached at http://127.0.0.1:9/api/") == 1
    assert "run doctor again" in done.out
    assert "tried again" not in done.out
    assert "message" not in done.out


def test_doctor_is_content_with_a_terminal_only_setup(deploy: Program) -> None:
    done = deploy("doctor", "--json")

    assert done.code == 0, done.out
    assert {record["verdict"] for record in done.records} == {"ok", "off"}


SLOW = """
import asyncio, pathlib
from spectra_bot import HumanGateStep, Workflow

async def work(ctx):
    ctx.progress(0.5, "half way")
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    return {"done": True}

slow = Workflow("slow")
slow.step(work)
asked = Workflow("asked")
asked.add("gate", HumanGateStep(reason="Go?", options=("approve", "reject")))
asked.step(work)
"""


def test_run_stopped_in_the_middle_of_a_step_is_carried_on(program: Program) -> None:
    program.file("slow.py", SLOW)
    with program.on_terminal("run", "slow", "--workflows", "slow.py", "--run-id", "mine") as terminal:
        terminal.expect("half way")
        terminal.press_ctrl_c()
        terminal.expect("To carry on:")
        code = terminal.wait()
    program.file("go", "")

    done = program("run", "slow", "--workflows", "slow.py", "--run-id", "mine")

    assert code == 130
    assert "Traceback" not in terminal.shown
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", ["run", "answer"])
def test_command_stopped_without_a_terminal_is_carried_on_as_it_says(program: Program, command: str) -> None:
    program.file("slow.py", SLOW)
    words = ["run", "slow", "--workflows", "slow.py", "--run-id", "mine"]
    if command == "answer":
        asked = program("run", "asked", "--workflows", "slow.py", "--run-id", "mine")
        words = shlex.split(commands_in(asked.out)[0])[1:]
    working = program.start(*words)
    while working.poll() is None and not (program.folder / "begun").exists():
        time.sleep(0.01)

    working.send_signal(signal.SIGINT)
    _, err = working.communicate(timeout=30)

    assert working.returncode == 130, err
    assert "the run is kept" in err
    assert "Aborted!" not in err
    (carry_on,) = [line.strip() for line in err.splitlines() if line.startswith("  ")]
    program.file("go", "")
    done = program.type(carry_on, cwd=program.folder)
    assert done.code == 0, done.err
    assert "completed" in done.out


def test_workflows_are_listed_with_the_graph_as_it_is(deploy: Program) -> None:
    deploy.file(
        "forked.py",
        """
from spectra_bot import HumanGateStep, Workflow
forked = Workflow("forked")
async def work(ctx): ...
forked.add("s", work)
forked.add("a", work, after="s")
forked.add("b", work, after="s")
routes = {"modify": "s", "other": "x"}
forked.add("gate", HumanGateStep(reason="?", options=("approve", *routes), routes=routes), after=("a", "b"))
forked.add("x", work, after=())
""",
    )

    shown = deploy("workflows", "--workflows", "forked.py", "--workflows", "deploy.py").out

    assert "steps: plan → approve → ship" in shown
    assert [line.strip() for line in shown.splitlines() if line.startswith("    ")] == [
        "s",
        "a · after s",
        "b · after s",
        "gate · after a, b · back to s (modify)",
        "x · after gate (other)",
    ]


def test_version_and_help_need_nothing(program: Program) -> None:
    assert program("--version").out.startswith("spectra-bot, version ")
    assert "demo" in program("--help").out
