"""`run`: start a workflow and stay with it."""

from __future__ import annotations

import asyncio
import json

import click

from spectra_bot import app
from spectra_bot.cli.exit_codes import ExitCode, Refusal
from spectra_bot.cli.inputs import parse_inputs
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.outcome import end_with, tell_how_to_carry_on
from spectra_bot.cli.output import stderr
from spectra_bot.cli.session import Session
from spectra_bot.errors import InvalidInputsError, InvalidWordError, UnknownWorkflowError
from spectra_bot.run_inputs import read_id
from spectra_bot.runner import Runner
from spectra_bot.runs import RunStatus
from spectra_bot.suggestions import did_you_mean


def _read_id(_ctx: click.Context, _option: click.Parameter, run_id: str | None) -> str | None:
    try:
        return None if run_id is None else read_id(run_id)
    except InvalidWordError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("workflow")
@click.argument("inputs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--inputs", "inputs_json", metavar="JSON", help="Inputs as one JSON object; KEY=VALUE counts more.")
@click.option("--run-id", callback=_read_id, help="Your own id: the same start again carries on the run that is there.")
@with_call
def run(call: Call, workflow: str, inputs: tuple[str, ...], inputs_json: str | None, run_id: str | None) -> None:
    """Start a workflow and stay with it.

    Where Slack's tokens are set, questions go there first. Without a terminal the command ends with 3 at a question
    that nobody answered, and prints the commands that answer it.
    """
    log_to_stderr("WARNING")
    loaded = call.load()
    known = {known.name: known for known in loaded.workflows}
    if workflow not in known:
        hint = did_you_mean(workflow, list(known)) if known else "; name where it is with --workflows MODULE_OR_FILE"
        raise Refusal(f"{UnknownWorkflowError(workflow, list(known))}{hint}", ExitCode.USAGE)
    try:
        values = parse_inputs(inputs, inputs_json, known[workflow])
    except InvalidInputsError as error:
        raise Refusal(f"{error}; `spectra-bot workflows` lists what it takes", ExitCode.USAGE) from error

    async def begin(runner: Runner) -> str:
        started = await runner.start(workflow, values, requested_by=app.cli_identity(), run_id=run_id)
        stderr().print(f"Run {started} of {workflow}", style="dim")
        return started

    session = Session(call=call, loaded=loaded)
    result = asyncio.run(session.work(begin, creates=True))
    if result.status is RunStatus.RUNNING:
        words = ["run", workflow, "--inputs", json.dumps(values), "--run-id", result.run_id]
        tell_how_to_carry_on(session.commands.of(*words))
    end_with(result)
