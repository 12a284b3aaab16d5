"""`demo`: a real change to real files that waits for a decision."""

from __future__ import annotations

from pathlib import Path

import click

from spectra_bot.cli.agent_demo import triage_demo
from spectra_bot.cli.demo_session import place_for, play, with_database
from spectra_bot.cli.demo_views import folder_view, prose
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.outcome import end_with
from spectra_bot.cli.output import stderr, stdout
from spectra_bot.cli.runners import refuse_temporal
from spectra_bot.demo.folders import contents
from spectra_bot.demo.release import release
from spectra_bot.demo.sample import make_sample
from spectra_bot.loading import Loaded
from spectra_bot.runs import RunResult, RunStatus

PLACE = "spectra_bot.demo.release"
"""Where `--workflows` finds the demo's workflow."""


@click.command()
@click.option("--answer", type=click.Choice(["approve", "reject"]), help="Decide without a prompt.")
@click.option("--source", type=click.Path(path_type=Path), help="A folder of your own with new files.")
@click.option("--target", type=click.Path(path_type=Path), help="The folder of yours they go to.")
@click.option(
    "--agent", is_flag=True, help="Have an agent mend tests that fail: runs them, and asks before it changes."
)
@click.option("--folder", type=click.Path(path_type=Path), help="With --agent: a folder of yours whose tests fail.")
@with_call
def demo(
    call: Call, *, answer: str | None, source: Path | None, target: Path | None, agent: bool, folder: Path | None
) -> None:
    """Try it: a change to files that waits for your decision.

    Without --source and --target, or with --agent without --folder, it makes small folders in a temporary place.
    Nothing outside the target folder and the database is changed; what the tests of a --folder do, they do.
    """
    if call.workflows:
        raise click.UsageError("demo runs a workflow of its own and takes no --workflows; to run yours: run WORKFLOW")
    if (source is None) != (target is None):
        raise click.UsageError("--source and --target go together")
    if agent and source is not None:
        raise click.UsageError("--source and --target are not for --agent, which takes one --folder")
    if folder is not None and not agent:
        raise click.UsageError("--folder goes with --agent; without it there are --source and --target")
    refuse_temporal(call.settings, "and a demo makes one of its own: unset SPECTRA_ENGINE for it")
    log_to_stderr("WARNING")
    end_with(triage_demo(call, folder, answer) if agent else _release_demo(call, source, target, answer))


def _release_demo(call: Call, source: Path | None, target: Path | None, answer: str | None) -> RunResult:
    place = place_for(call, needs_sample=source is None)
    if place is not None and (source is None or target is None):
        source, target = make_sample(place)
    assert source is not None and target is not None  # noqa: S101, PT018  made above, or both given
    call = with_database(call, place)
    stderr().print(prose(source, target, call.settings.db), soft_wrap=True)
    before = dict(contents(target)) if target.is_dir() else {}
    loaded = Loaded(workflows=(release,), places=(PLACE,))
    result = play(call, loaded, "release", {"source": str(source), "target": str(target)}, answer)
    _tell_what_changed(call, result, target, before)
    return result


def _tell_what_changed(call: Call, result: RunResult, target: Path, before: dict[str, bytes]) -> None:
    after = dict(contents(target)) if target.is_dir() else {}
    console = stderr() if call.as_json else stdout()
    if result.status is RunStatus.COMPLETED and after != before:
        console.print(folder_view(target, before, after))
    elif after == before:
        console.print("Nothing was changed.")
