"""`answer`, `cancel` and `retry`: steer a run that is there."""

from __future__ import annotations

import asyncio

import click

from spectra_bot import app
from spectra_bot.cli.commands_to_type import CommandsToType
from spectra_bot.cli.exit_codes import ExitCode, Refusal
from spectra_bot.cli.following import until_rest
from spectra_bot.cli.inputs import parse_json_object
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.outcome import end_with, tell, tell_how_to_carry_on
from spectra_bot.cli.output import print_records, stderr, stdout
from spectra_bot.cli.runners import opened
from spectra_bot.cli.session import Session
from spectra_bot.errors import InvalidAnswerError, NotFollowedError, StoreError
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.runner import Runner
from spectra_bot.runs import RunResult, RunStatus
from spectra_bot.suggestions import did_you_mean


@click.command()
@click.argument("interrupt")
@click.argument("option")
@click.option("--note", help="Why; it is stored with the decision and shown to all.")
@click.option("--data", metavar="JSON", help="What the option's form asks for, as a JSON object.")
@with_call
def answer(call: Call, interrupt: str, option: str, note: str | None, data: str | None) -> None:
    """Answer a question, and wait until its run rests.

    Where the workflow is not loaded the decision is stored all the same, and a process that has it carries on.
    """
    log_to_stderr("WARNING")
    values = parse_json_object(data, "--data") if data is not None else {}
    loaded = call.load()

    async def work() -> RunResult | None:
        async with (
            app.handlers_elsewhere(call.settings) as elsewhere,
            opened(call, workflows=loaded.workflows, handlers=elsewhere) as runner,
        ):
            request = (await runner.get_interrupt(interrupt)).request
            commands = CommandsToType(db=call.settings.database, places=loaded.places)
            response = _response(request, option).model_copy(
                update={"data": values, "notes": note, "responder": app.cli_identity()}
            )
            _refuse_empty(request, response, commands)
            stored = await _stored(runner, request, response, commands)
            if request.workflow not in runner.workflows:
                await _tell_stored(call, runner, request, stored)
                return None
            try:
                result = await until_rest(runner, request.run_id)
            except StoreError as error:
                raise NotFollowedError(request.run_id, error) from error
            await tell(runner, result, commands, as_json=call.as_json)
            if result.status is RunStatus.RUNNING:
                given = [*(["--note", note] if note else []), *(["--data", data] if data is not None else [])]
                tell_how_to_carry_on(commands.of("answer", interrupt, option, *given))
            return result

    result = asyncio.run(work())
    if result is not None:
        end_with(result)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--reason", default="", help="Why; its open questions say so.")
@with_call
def cancel(call: Call, run_id: str, reason: str) -> None:
    """End a run.

    Its running steps are stopped and its open questions closed.
    """
    log_to_stderr("WARNING")
    loaded = call.load()

    async def work() -> None:
        async with (
            app.handlers_elsewhere(call.settings) as elsewhere,
            opened(call, workflows=loaded.workflows, handlers=elsewhere) as runner,
        ):
            result = await runner.cancel(run_id, by=app.cli_identity(), reason=reason)
            commands = CommandsToType(db=call.settings.database, places=loaded.places)
            await tell(runner, result, commands, as_json=call.as_json)

    asyncio.run(work())


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--from", "from_step", metavar="STEP", help="Begin this step, and all behind it, anew; `show RUN` lists the steps."
)
@with_call
def retry(call: Call, run_id: str, from_step: str | None) -> None:
    """Run the failed steps of a run again.

    Finished steps, answers and what `once` stored are kept; what was rejected or ran out of time is asked again.

    With --from nothing is kept of that step and of all behind it, finished or not: their effects are done again, those
    in `once` too, and their questions are asked anew. The name of a sub-workflow stands for its first steps.
    """
    log_to_stderr("WARNING")
    loaded = call.load()

    async def begin(runner: Runner) -> str:
        details = await runner.get(run_id)
        if details.workflow not in runner.workflows:
            raise Refusal(
                f"nothing is run again: workflow {details.workflow!r} is not loaded here; name where it is with "
                "--workflows MODULE_OR_FILE",
                ExitCode.USAGE,
            )
        return (await runner.retry(run_id, from_step, by=app.cli_identity())).run_id

    end_with(asyncio.run(Session(call=call, loaded=loaded).work(begin)))


def _response(request: InterruptRequest, option: str) -> InterruptResponse:
    try:
        return request.answer(option)
    except InvalidAnswerError as error:
        hint = did_you_mean(option, [offered.id for offered in request.options])
        raise Refusal(f"{error}{hint}", ExitCode.REFUSED) from error


def _refuse_empty(request: InterruptRequest, response: InterruptResponse, commands: CommandsToType) -> None:
    """Stop at a `modify` that says nothing: a free form takes anything, and an answer can't be taken back."""
    chosen = request.option(response.option or "")
    if chosen and chosen.form and chosen.form.free and not response.data and not response.notes:
        asked = ", ".join(field.label for field in chosen.form.fields)
        raise Refusal(
            f"{chosen.id} asks for: {asked}\nIt is filled in like this: {commands.answer(request, chosen)}",
            ExitCode.REFUSED,
        )


async def _stored(
    runner: Runner, request: InterruptRequest, response: InterruptResponse, commands: CommandsToType
) -> InterruptResponse:
    try:
        return await runner.answer(request.id, response)
    except InvalidAnswerError as error:
        chosen = request.option(response.option or "")
        example = f"\nIt is filled in like this: {commands.answer(request, chosen)}" if chosen and chosen.form else ""
        raise Refusal(f"{error}{example}", ExitCode.REFUSED) from error


async def _tell_stored(call: Call, runner: Runner, request: InterruptRequest, stored: InterruptResponse) -> None:
    said = (
        f"Stored: {stored.option} by {stored.responder}. Workflow {request.workflow!r} is not loaded here, so a "
        "process that has it carries the run on: `spectra-bot serve`, or this command again with --workflows "
        "MODULE_OR_FILE"
    )
    if call.as_json:
        print_records(await runner.get(request.run_id))
        stderr().print(said, soft_wrap=True)
    else:
        stdout().print(said, soft_wrap=True)
