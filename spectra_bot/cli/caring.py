"""`backup` and `prune`: take care of the database file, also while `serve` works on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.filesize import decimal
from rich.progress import Progress

from spectra_bot.cli.durations import read_duration
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.output import print_records, stderr, stdout
from spectra_bot.cli.runners import refuse_missing_database, refuse_temporal
from spectra_bot.clock import SystemClock
from spectra_bot.runs import RunStatus
from spectra_bot.store import OVER, Pruned, back_up
from spectra_bot.store import prune as prune_runs


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@with_call
def backup(call: Call, file: Path, force: bool) -> None:
    """Copy the database into FILE while others work on it.

    The copy is checked before it gets its name. It is one file that only you can read, and holds all secrets.
    """
    db = call.settings.db
    refuse_temporal(call.settings, "its database has a backup of its own")
    refuse_missing_database(db)
    with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as bar:
        task = bar.add_task("Copying", total=None)
        made = back_up(
            db, file, overwrites=force, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if call.as_json:
        print_records({"file": str(made.path.absolute()), "size_bytes": made.size_bytes, "runs": made.runs})
    else:
        said = f"Backed up {_count(made.runs, 'run')}, {decimal(made.size_bytes)}, to {made.path}"
        stdout().print(said, soft_wrap=True)


@click.command()
@click.option(
    "--older-than",
    "age",
    callback=read_duration,
    required=True,
    metavar="AGE",
    help="Only runs that have been over for so long: 90d, 12h, 2w.",
)
@click.option(
    "--status",
    "statuses",
    type=click.Choice(sorted(status.value for status in OVER)),
    multiple=True,
    help="Only runs that ended so; may be given several times.",
)
@click.option("--dry-run", "is_trial", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--vacuum", "vacuums", is_flag=True, help="Make the file smaller too; others can't write meanwhile.")
@with_call
def prune(call: Call, age: timedelta, statuses: tuple[str, ...], is_trial: bool, vacuums: bool) -> None:
    """Remove runs that ended long ago.

    Completed, failed and cancelled runs whose messages are all closed go, with their history. Their ids are free
    again, and what they stored is gone: make a backup first.
    """
    refuse_temporal(call.settings, "a namespace's retention removes what is over there")
    refuse_missing_database(call.settings.db)
    pruned = prune_runs(
        call.settings.db,
        ended_before=_before(age),
        statuses=[RunStatus(status) for status in statuses] or OVER,
        is_trial=is_trial,
        vacuums=vacuums and not is_trial,
    )
    if call.as_json:
        print_records(
            {
                "dry_run": is_trial,
                "runs": {status.value: count for status, count in sorted(pruned.runs.items())},
                "events": pruned.events,
                "shapes": pruned.shapes,
                "size_bytes": pruned.size_bytes,
                "free_bytes": pruned.free_bytes,
            }
        )
    else:
        stdout().print(_in_words(pruned, is_trial=is_trial), soft_wrap=True)


def _before(age: timedelta) -> datetime:
    try:
        return SystemClock().now() - age
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _in_words(pruned: Pruned, *, is_trial: bool) -> str:
    total = sum(pruned.runs.values())
    kinds = ", ".join(f"{count:,} {status.value}" for status, count in sorted(pruned.runs.items()) if count)
    said = f"{_count(total, 'run')}{f' ({kinds})' if kinds else ''}"
    size = f"The file has {decimal(pruned.size_bytes)}, of which {decimal(pruned.free_bytes)} are free for new runs."
    if is_trial:
        return f"Would remove {said}. {size}"
    return f"Removed {said} with {_count(pruned.events, 'event')}. {size}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
