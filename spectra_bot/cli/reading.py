"""`pending`, `runs`, `show`, `history` and `workflows`: look, and change nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click
from pydantic import JsonValue
from rich.text import Text

from spectra_bot.cli.commands_to_type import CommandsToType
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.outcome import tell_how_to_retry
from spectra_bot.cli.output import print_records, stderr, stdout
from spectra_bot.cli.run_view import run_view
from spectra_bot.cli.runners import opened, refuse_missing_folder
from spectra_bot.cli.views import history_view, pending_view, runs_view, steps_in_words
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.printable import printable
from spectra_bot.run_inputs import inputs_of
from spectra_bot.runner import Runner
from spectra_bot.runs import RunStatus
from spectra_bot.workflow import Workflow

_T = TypeVar("_T")


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="Only the questions of this run.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="So many at most.")
@with_call
def pending(call: Call, run_id: str | None, limit: int) -> None:
    """List the questions that wait, oldest first."""

    async def read(runner: Runner) -> Sequence[InterruptRequest]:
        if run_id is not None:
            await runner.get(run_id)  # a run that is not there is told, rather than that nothing waits
        return await runner.list_pending(run_id=run_id, limit=limit)

    requests = _list(call, read)
    if call.as_json:
        print_records(list(requests))
    elif requests:
        stdout().print(pending_view(requests))
        commands = CommandsToType(db=call.settings.database, places=call.settings.workflows)
        stdout().print(f"To answer one: {commands.of('answer', 'INTERRUPT', 'OPTION')}", soft_wrap=True)
    else:
        stdout().print("Nothing waits for an answer.")


@click.command()
@click.option("--status", type=click.Choice([status.value for status in RunStatus]), help="Only runs that are so.")
@click.option("--workflow", help="Only runs of this workflow.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="So many at most.")
@with_call
def runs(call: Call, status: str | None, workflow: str | None, limit: int) -> None:
    """List runs, newest first."""
    wanted = RunStatus(status) if status else None
    found = _list(call, lambda runner: runner.list_runs(status=wanted, workflow=workflow, limit=limit))
    if call.as_json:
        print_records(list(found))
    elif found:
        stdout().print(runs_view(found))
    elif status or workflow:
        stdout().print("No such runs.")
    else:
        stdout().print("No runs yet. Start one: spectra-bot run WORKFLOW --workflows FILE, or try spectra-bot demo")


@click.command()
@click.argument("run_id", metavar="RUN")
@with_call
def show(call: Call, run_id: str) -> None:
    """Show a run: its steps, and who decided what.

    Each question with its answer, who gave it and when, and how it was delivered.
    """
    details = _read(call, lambda runner: runner.get(run_id))
    if call.as_json:
        print_records(details)
    else:
        stdout().print(run_view(details))
        if details.status is RunStatus.FAILED:
            tell_how_to_retry(
                stdout(), details, CommandsToType(db=call.settings.database, places=call.settings.workflows)
            )


@click.command()
@click.argument("run_id", metavar="RUN")
@with_call
def history(call: Call, run_id: str) -> None:
    """List every event of a run, with who and when."""
    checkpoints = _read(call, lambda runner: runner.history(run_id))
    if call.as_json:
        print_records(list(checkpoints))
    else:
        stdout().print(history_view(checkpoints))


@click.command()
@with_call
def workflows(call: Call) -> None:
    """List the loaded workflows and what each takes."""
    loaded = call.load().workflows
    if call.as_json:
        print_records([_described(workflow) for workflow in loaded])
        return
    if not loaded:
        stdout().print("No workflows are loaded. Name some: --workflows MODULE_OR_FILE, or SPECTRA_WORKFLOWS")
    for workflow in loaded:
        stdout().print(_workflow_text(workflow), soft_wrap=True)


def _list(call: Call, read: Callable[[Runner], Awaitable[Sequence[_T]]]) -> Sequence[_T]:
    """What there is; nothing where there is no database yet."""
    if call.settings.engine == "temporal":
        return _read(call, read)
    refuse_missing_folder(call.settings.db)
    if not call.settings.db.exists():
        stderr().print(f"There is no database {call.settings.db.absolute()} yet.", style="dim", soft_wrap=True)
        return ()
    return _read(call, read)


def _read(call: Call, read: Callable[[Runner], Awaitable[_T]]) -> _T:
    async def work() -> _T:
        async with opened(call, read_only=True) as runner:
            return await read(runner)

    return asyncio.run(work())


def _described(workflow: Workflow) -> JsonValue:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "steps": [node.name for node in workflow.shape().nodes],
        "inputs": workflow.inputs.model_json_schema() if workflow.inputs else None,
        "approvers": list(workflow.approvers),
        "channel": workflow.channel,
    }


def _workflow_text(workflow: Workflow) -> Text:
    text = Text.assemble((printable(workflow.name), "bold"))
    if workflow.description:
        text.append(f"  {printable(workflow.description)}")
    text.append(f"\n  steps: {steps_in_words(workflow.shape())}", style="dim")
    if workflow.inputs is None:
        text.append("\n  takes any key=value")
        return text
    for field in inputs_of(workflow):
        need = "required" if field.is_required else f"default {json.dumps(field.default, ensure_ascii=False)}"
        about = f"  {field.help}" if field.help else ""
        text.append(f"\n  {printable(f'{field.name}=')}", style="cyan")
        text.append(printable(f"{field.kind}, {need}{about}"))
    return text
