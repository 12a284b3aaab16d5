"""Tells how a run stands, and ends the process with the number that says so."""

from __future__ import annotations

import click
from rich.console import Console
from rich.text import Text

from spectra_bot.app import question_view
from spectra_bot.cli.commands_to_type import CommandsToType
from spectra_bot.cli.exit_codes import exit_code_of_run
from spectra_bot.cli.output import print_records, stderr, stdout
from spectra_bot.cli.views import outcome_line, output_view
from spectra_bot.printable import printable
from spectra_bot.runner import Runner
from spectra_bot.runs import RunDetails, RunResult, RunStatus


async def tell(
    runner: Runner, result: RunResult, commands: CommandsToType, *, as_json: bool, questions: bool = True
) -> None:
    """Print where the run stands.

    Args:
        questions: show the open questions; not where a prompt showed them just now.
    """
    if as_json:
        print_records(result)
        if result.pending:
            tell_how_to_answer(stderr(), result, commands)
        return
    console = stdout()
    console.print(outcome_line(result), soft_wrap=True)
    if result.status is RunStatus.COMPLETED:
        view = output_view(await runner.get(result.run_id))
        if view is not None:
            console.print(view)
    if questions:
        for request in result.pending:
            console.print(question_view(request))
    if result.pending:
        tell_how_to_answer(console, result, commands)


def tell_how_to_answer(console: Console, result: RunResult, commands: CommandsToType) -> None:
    """Print the commands that answer what is pending."""
    for request in result.pending:
        console.print(Text(printable(f"To answer the question of step {request.step}, run one of:"), style="bold"))
        for command in commands.answers(request):
            console.print(Text(f"  {printable(command)}"), soft_wrap=True)


def tell_how_to_retry(console: Console, details: RunDetails, commands: CommandsToType) -> None:
    """Print the commands that run a failed run again: where it stopped, and from a step on."""
    begun = ", ".join(step.step for step in details.steps if step.phase not in ("waiting", "skipped"))
    console.print(Text("To run the failed steps again:", style="bold"))
    console.print(Text(f"  {printable(commands.of('retry', details.run_id))}"), soft_wrap=True)
    console.print(
        Text(
            printable(
                f"To do a step and all behind it again, effects and questions too, add --from with one of: {begun}"
            )
        ),
        soft_wrap=True,
    )


def end_with(result: RunResult) -> None:
    """End the command with the number of the run's status."""
    raise click.exceptions.Exit(exit_code_of_run(result.status))


def tell_how_to_carry_on(command: str) -> None:
    """Say that a stopped run is kept, and the command that carries it on."""
    console = stderr()
    console.print("Stopped while a step was at work; the run is kept and nothing is lost. To carry on:", soft_wrap=True)
    console.print(Text(f"  {printable(command)}"), soft_wrap=True)
