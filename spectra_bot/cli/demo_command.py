"""`demo`: a real change to real files that waits for a decision."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from spectra_bot import app
from spectra_bot.cli.demo_views import folder_view, prose
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.outcome import end_with
from spectra_bot.cli.output import stderr, stdout
from spectra_bot.cli.session import Session
from spectra_bot.demo.folders import contents
from spectra_bot.demo.release import release
from spectra_bot.demo.sample import make_sample
from spectra_bot.loading import Loaded
from spectra_bot.runner import Runner
from spectra_bot.runs import RunResult, RunStatus

PLACE = "spectra_bot.demo.release"
"""Where `--workflows` finds the demo's workflow."""


@click.command()
@click.option("--answer", type=click.Choice(["approve", "reject"]), help="Decide without a prompt.")
@click.option("--source", type=click.Path(path_type=Path), help="A folder of your own with new files.")
@click.option("--target", type=click.Path(path_type=Path), help="The folder of yours they go to.")
@with_call
def demo(call: Call, answer: str | None, source: Path | None, target: Path | None) -> None:
    """Try it: a change to files that waits for your decision.

    Without --source and --target it makes two small folders in a temporary place. Nothing outside the target folder
    and the database is changed.
    """
    if call.workflows:
        raise click.UsageError("demo runs a workflow of its own and takes no --workflows; to run yours: run WORKFLOW")
    if (source is None) != (target is None):
        raise click.UsageError("--source and --target go together")
    log_to_stderr("WARNING")
    place = Path(tempfile.mkdtemp(prefix="spectra-demo-")) if source is None or call.db is None else None
    if place is not None and (source is None or target is None):
        source, target = make_sample(place)
    assert source is not None and target is not None  # noqa: S101, PT018  made above, or both given
    db = call.db or (place or Path()) / "spectra.db"
    call = Call(settings=call.settings.model_copy(update={"db": db}), as_json=call.as_json, db=db)
    console = stderr()
    console.print(prose(source, target, db), soft_wrap=True)
    before = dict(contents(target)) if target.is_dir() else {}
    inputs = {"source": str(source), "target": str(target)}

    async def begin(runner: Runner) -> str:
        run_id = await runner.start("release", inputs, requested_by=app.cli_identity())
        if answer is not None:
            await _decide(runner, run_id, answer)
        return run_id

    session = Session(call=call, loaded=Loaded(workflows=(release,), places=(PLACE,)), asks_elsewhere=False)
    result = asyncio.run(session.work(begin, creates=True, asks=answer is None))
    _tell_what_changed(call, result, target, before)
    end_with(result)


async def _decide(runner: Runner, run_id: str, option: str) -> None:
    """Give the answer of the command line to the question of the run, where it asks one."""
    for request in (await runner.wait(run_id)).pending:
        await runner.answer(request.id, request.answer(option, responder=app.cli_identity()))


def _tell_what_changed(call: Call, result: RunResult, target: Path, before: dict[str, bytes]) -> None:
    after = dict(contents(target)) if target.is_dir() else {}
    console = stderr() if call.as_json else stdout()
    if result.status is RunStatus.COMPLETED and after != before:
        console.print(folder_view(target, before, after))
    elif after == before:
        console.print("Nothing was changed.")
