"""What the README says, as a newcomer would try it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import ValidationError
from pydantic_ai.models.function import FunctionModel

from handlers.auto_approve import AutoApproveHandler
from handlers.slack import EVENTS_PATH, HEALTH_PATH
from spectra_bot import (
    ChecksDeliveries,
    ConcludesRuns,
    DeliversAgain,
    DeliversGroups,
    InterruptOption,
    InterruptRequest,
    LooksAtRuns,
    RetryPolicy,
    Runner,
    SettlesInterrupts,
    StepContext,
    WorkflowRunner,
)
from spectra_bot.agent import AgentLimits
from spectra_bot.agent.progress import EVERY_S
from spectra_bot.cli import main
from spectra_bot.cli.exit_codes import ExitCode
from spectra_bot.cli.process import STOP_S
from spectra_bot.demo.patches import KEPT
from spectra_bot.demo.triage import TriageInputs
from spectra_bot.embedded import LEASE_S
from spectra_bot.engine.execution import MAX_ERROR
from spectra_bot.engine.reconciler import PAUSE_S, ROUND_S
from spectra_bot.engine.time_limit import CLEAN_UP_S
from spectra_bot.interrupts import MAX_OPTIONS
from spectra_bot.json_values import MAX_PAYLOAD_BYTES
from spectra_bot.machine.endings import MAX_CRASHES
from spectra_bot.machine.flow import MAX_VISITS
from spectra_bot.settings import Settings
from spectra_bot.store.faults import BUSY_TIMEOUT_S
from spectra_bot.temporal.beats import beat_s
from spectra_bot.temporal.calls import CALL_S
from spectra_bot.temporal.crew import RECENT
from spectra_bot.temporal.limits import INLINE_BYTES, MAX_CALL_BYTES, MAX_LOG_BYTES
from spectra_bot.temporal.limits import MAX_PAYLOAD_BYTES as TEMPORAL_PAYLOAD_BYTES
from spectra_bot.temporal.visibility import ATTRIBUTES
from spectra_bot.testing import FakeSlack, ManualClock
from tests.acceptance.cli.program import TIMEOUT_S, Program, commands_in
from tests.conformance.agents import Script
from tests.conformance.agents import call as tool_call

README = (Path(__file__).parents[3] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    section = README.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"^\|.*?(?=\n\n|\Z)", section, re.DOTALL | re.MULTILINE)
    assert table is not None
    _, _, *lines = table.group().splitlines()
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.fixture
def newcomer(program: Program) -> Program:
    program.file("deploy.py", blocks("python")[0])
    return program


def test_first_workflow_runs_as_it_is_called(newcomer: Program) -> None:
    (line,) = [line for line in "".join(blocks("sh")).splitlines() if "spectra-bot run deploy" in line]

    approve = newcomer(*shlex.split(line)[1:])
    confirm = newcomer.type(commands_in(approve.out)[0], cwd=newcomer.folder)
    done = newcomer.type(commands_in(confirm.out)[0], cwd=newcomer.folder)

    assert (approve.code, confirm.code, done.code) == (3, 3, 0), approve.err + confirm.err + done.err
    (run,) = newcomer("runs", "--json").records
    shown = newcomer("show", run["run_id"], "--json").records
    assert shown["outputs"]["apply"] == {"shipped": "prod runs 3 replicas"}


def test_answer_that_is_no_approval_ends_the_first_workflow(newcomer: Program) -> None:
    approve = newcomer("run", "deploy", "env=prod", "--workflows", "deploy.py")

    modified = newcomer.type(commands_in(approve.out)[2], cwd=newcomer.folder)

    assert (modified.code, "modify by cli:" in modified.out) == (1, True)


def test_first_workflow_runs_from_python(newcomer: Program) -> None:
    place = newcomer.file("own.py", blocks("python")[1])

    done = subprocess.run(
        [sys.executable, str(place)],
        cwd=newcomer.folder,
        env=newcomer.env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.stdout.splitlines() == [
        "Deployment plan requires approval",
        "Smoke test fine?",
        "completed {'shipped': 'prod runs 2 replicas'}",
    ], done.stderr


def test_every_setting_has_its_row_with_its_default() -> None:
    assert sorted((row[0], row[1]) for row in rows("### Settings")) == sorted(Settings.table())


def test_every_command_has_its_row_with_its_own_options() -> None:
    written = {row[0].split()[0]: set(re.findall(r"--[a-z-]+", row[0])) for row in rows("### Commands")}
    context = click.Context(main)
    shared = {"--db", "--workflows", "--json", "--limit"}

    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    built = {
        name: {word for option in command.params for word in option.opts if word.startswith("--")} - shared
        for name, command in commands.items()
        if command is not None
    }

    assert written == built


def test_every_option_of_every_command_says_what_it_does() -> None:
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]

    options = [option for command in commands if command for option in command.params]

    assert [option.name for option in options if isinstance(option, click.Option) and not option.help] == []


def test_every_field_of_an_option_has_its_row() -> None:
    assert [row[0] for row in rows("### Options of a question")] == list(InterruptOption.model_fields)


def test_every_field_of_a_question_that_a_step_gives_has_its_row() -> None:
    fields = list(InterruptRequest.model_fields)

    assert [row[0] for row in rows("### A question")] == fields[: fields.index("id")]


def test_every_field_of_a_retry_policy_has_its_row() -> None:
    assert [row[0] for row in rows("### A retry policy")] == [field.name for field in dataclasses.fields(RetryPolicy)]


def test_every_coroutine_of_a_runner_has_its_row() -> None:
    written = {name for row in rows("### A runner in Python") for name in re.findall(r"(\w+)\(", row[0])}

    assert written == {name for name, _ in inspect.getmembers(Runner, inspect.iscoroutinefunction)}


def test_every_method_that_a_handler_may_have_has_its_row() -> None:
    protocols = (SettlesInterrupts, ChecksDeliveries, DeliversAgain, DeliversGroups, ConcludesRuns, LooksAtRuns)
    methods = [name for protocol in protocols for name in vars(protocol) if not name.startswith("_")]

    assert [row[0] for row in rows("### A handler of your own")] == methods


async def test_policy_of_the_readme_approves_what_it_lets_and_leaves_the_rest() -> None:
    made = re.search(r"`(AutoApproveHandler\(.*?\))`", README)
    assert made is not None
    policy = eval(made[1], {"AutoApproveHandler": AutoApproveHandler})  # noqa: S307  the README's own example
    asked = InterruptRequest(reason="Ship?")

    approved = await policy.handle(asked.model_copy(update={"workflow": "deploy"}))
    left = await policy.handle(asked.model_copy(update={"workflow": "payroll"}))

    assert approved is not None
    assert (approved.status.value, left) == ("approved", None)


def test_every_link_within_the_readme_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    links = re.findall(r"\]\(#([^)]*)\)", README)

    assert [link for link in links if link not in anchors] == []


def test_what_a_step_sees_is_there() -> None:
    cells = [re.sub(r"await |\(.*?\)|`", "", row[0]) for row in rows("### What a step sees")]
    written = [name for cell in cells for name in cell.split(", ")]

    assert {"inputs", "response", "interrupt", "once"} < set(written)
    assert [name for name in written if not hasattr(StepContext, name)] == []


async def test_workflow_is_tested_as_the_readme_says() -> None:
    made = re.search(r"`(WorkflowRunner\(.*?\))`", README)
    assert made is not None
    assert "`FakeSlack` is a Slack" in README
    assert inspect.isclass(FakeSlack)
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)  # noqa: S102  the README's own example
    clock = ManualClock()

    async with eval(made[1], {**names, "WorkflowRunner": WorkflowRunner, "ManualClock": lambda: clock}) as runner:  # noqa: S307
        asked = await runner.run("deploy", {"env": "prod"})
        clock.advance(timedelta(hours=24))
        done = await runner.wait(asked.run_id, over=True)

    assert done.error == "approve: nobody decided in time: Deployment plan requires approval"


async def test_first_agent_asks_in_three_ways_and_goes_on() -> None:
    (code,) = [block for block in blocks("python") if "AgentStep" in block]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  the README's own example
    script = Script(
        [
            tool_call("restart", "a", service="web"),
            tool_call("delete", "b", path="/var/log/old"),
            tool_call("ask_human", "c", question="Which disk?", options=["/", "/srv"]),
        ],
        "There is room.",
    )

    with names["agent"].override(model=FunctionModel(script, stream_function=script.stream)):
        async with WorkflowRunner(workflows=[names["tidy"]], database=":memory:") as runner:
            asked = await runner.run("tidy")
            answers = {"Restart web?": "approve", "The agent wants to call delete": "reject", "Which disk?": "option 2"}
            result = asked
            for request in asked.pending:
                answer = request.answer(answers[request.reason], responder="cli:ada", notes="as I said")
                result = await runner.resume(asked.run_id, answer)

    assert len(asked.pending) == 3
    assert result.outputs == {"work": "There is room."}
    assert script.told == {
        "a": "web runs anew",
        "b": "cli:ada rejected this call: as I said",
        "c": "cli:ada answered: /srv (as I said)",
    }


def test_what_is_said_of_agents_is_as_in_the_code() -> None:
    said = " ".join(README[README.index("## Agents that stop to ask") : README.index("## Operations")].split())
    limits = AgentLimits()
    inputs = TriageInputs.model_validate({"folder": "."})

    (line,) = re.findall(r"`AgentLimits` limits (.*?)\. Before", said)
    assert re.findall(r"`(\w+)`", line) == [f.name for f in dataclasses.fields(AgentLimits) if f.name != "at_limit"]
    assert f"`iterations` ({limits.iterations} unless you say otherwise)" in said
    assert (limits.at_limit, 'fails with `at_limit="fail"`' in said) == ("ask", True)
    assert {name for name in dataclasses.asdict(limits) if getattr(limits, name) is not None} == {
        "iterations", "at_limit"
    }  # fmt: skip
    assert (EVERY_S, "once a second at most" in said) == (1.0, True)
    assert f'`command="{inputs.command}"`' in said
    assert f"stopped after {inputs.limit_s:.0f} seconds" in said
    assert f"kept in `{KEPT}`" in said


def test_every_exit_code_has_its_row() -> None:
    assert [int(row[0]) for row in rows("## Operations")] == list(ExitCode)


def test_words_that_approve_and_reject_are_as_the_readme_lists_them() -> None:
    found = re.search(r"- \*\*Options\*\* are words\. (.*?) approve; (.*?)\s+reject;", README, re.DOTALL)
    assert found is not None

    for group, status in ((found[1], "approved"), (found[2], "rejected")):
        words = re.findall(r"`(\w+)`", group)
        assert len(words) >= 4
        assert {InterruptOption(word).status.value for word in words} == {status}


def test_limits_are_as_the_readme_tells_them() -> None:
    said = " ".join(README.split())

    assert f"a lease of {LEASE_S:.0f} seconds" in said
    assert f"told to stop waits for it for {CLEAN_UP_S:.0f} seconds" in said
    policy = RetryPolicy()
    assert f"grow from {policy.first_pause.seconds} second to {policy.longest_pause.seconds // 60} minutes" in said
    assert f"has {CLEAN_UP_S:.0f} seconds to clean up" in said
    assert f"has at most {MAX_PAYLOAD_BYTES / 2**20:.0f} MiB" in said
    assert f"A stored error has at most {MAX_ERROR:,} characters" in said
    assert f"a change waits for {BUSY_TIMEOUT_S:.0f} seconds, a minute at most" in said
    assert f"a question up to {MAX_OPTIONS} options" in said
    assert (ROUND_S, PAUSE_S) == (600, 1)
    assert "looks about every ten minutes whether each open question still stands, one a second at most" in said
    assert InterruptRequest(reason="x" * 3_000)
    with pytest.raises(ValidationError):
        InterruptRequest(reason="x" * 3_001)
    assert "up to 3,000 characters" in said
    assert (MAX_VISITS, "The hundredth visit of a step is its last" in said) == (100, True)
    assert (MAX_CRASHES, "whose process died under it five times" in said) == (5, True)


def test_path_that_slack_calls_is_as_the_readme_names_it() -> None:
    assert f"`{EVENTS_PATH}`" in README
    assert f"`{HEALTH_PATH}`" in README


def test_what_differs_on_temporal_is_as_in_the_code() -> None:
    said = README[README.index("## Past one machine") : README.index("## Reference")]

    assert f"silent for {LEASE_S:.0f} seconds" in said
    assert f"no bot takes within {CALL_S:.0f} seconds" in said
    assert f"at most {TEMPORAL_PAYLOAD_BYTES // 1024} KiB" in said
    assert MAX_CALL_BYTES == MAX_LOG_BYTES == 1_500_000
    assert "at most 1.5 MB" in said
    assert INLINE_BYTES == TEMPORAL_PAYLOAD_BYTES
    assert f"Whatever is above {INLINE_BYTES // 1024} KiB" in said
    assert f"{len(ATTRIBUTES)} search" in said.replace("four", "4")
    assert beat_s(LEASE_S) == 1.0
    assert f"ends after {STOP_S:.0f} seconds at the latest" in said
    assert (RECENT, "killed after two minutes" in " ".join(said.split())) == (timedelta(minutes=2), True)
