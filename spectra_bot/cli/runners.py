"""Opens a runner for one command, and says what was probably meant when it is told of something it does not know."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from spectra_bot import app
from spectra_bot.cli.exit_codes import ExitCode, Refusal, exit_code_of
from spectra_bot.cli.options import Call
from spectra_bot.cli.output import warn
from spectra_bot.errors import RunNotFoundError, SpectraError, UnknownInterruptError
from spectra_bot.interrupts import IInterruptHandler
from spectra_bot.runner import Runner
from spectra_bot.runs import Listener
from spectra_bot.settings import Settings
from spectra_bot.suggestions import did_you_mean
from spectra_bot.workflow import Workflow

MANY = 200
"""So many of the newest runs and questions are looked through for a similar name."""


def refuse_temporal(settings: Settings, wanted: str) -> None:
    """Stop at a command for database files where runs are in Temporal.

    Raises:
        Refusal: there is no file; says who does it there.
    """
    if settings.engine == "temporal":
        raise Refusal(f"runs are in Temporal (SPECTRA_ENGINE), not in a database file; {wanted}", ExitCode.USAGE)


def refuse_embedded(settings: Settings, wanted: str) -> None:
    """Stop where several processes are to share what one does on a database file.

    Raises:
        Refusal: runs are in a file; says what does it there.
    """
    if settings.engine == "embedded":
        raise Refusal(
            f"{wanted} is for Temporal (SPECTRA_ENGINE=temporal); on one machine `spectra-bot serve` both takes what "
            "people do and carries runs on",
            ExitCode.USAGE,
        )


def refuse_missing_folder(db: Path) -> None:
    """Stop at a database that can't be there.

    Raises:
        Refusal: its folder is missing.
    """
    folder = db.absolute().parent
    if not folder.is_dir():
        raise Refusal(
            f"the folder {folder} of the database is missing; make it, or name another with --db or SPECTRA_DB",
            ExitCode.USAGE,
        )


def refuse_missing_database(db: Path) -> None:
    """Stop where there is no database yet.

    Raises:
        Refusal: it, or its folder, is missing.
    """
    refuse_missing_folder(db)
    if not db.exists():
        raise Refusal(f"there is no database {db.absolute()}; name it with --db or SPECTRA_DB", ExitCode.REFUSED)


@contextlib.asynccontextmanager
async def opened(
    call: Call,
    *,
    workflows: Sequence[Workflow] = (),
    handlers: Sequence[IInterruptHandler] = (),
    listeners: Sequence[Listener] = (),
    creates: bool = False,
    read_only: bool = False,
) -> AsyncIterator[Runner]:
    """A runner that carries on only what this command touches, or nothing where it only reads.

    Where a change waits for a worker and there is none, it says so first.

    Args:
        creates: a database file that is not there yet is made.

    Raises:
        Refusal: the runner refused, with the name that was probably meant; or there is no database or folder.
    """
    temporal = call.settings.temporal()
    if temporal is None:
        (refuse_missing_folder if creates else refuse_missing_database)(call.settings.db)
    runner = app.make_runner(
        call.settings.db,
        temporal=temporal,
        workflows=workflows,
        handlers=handlers,
        listeners=listeners,
        read_only=read_only,
        max_payload_bytes=call.settings.max_payload,
    )
    async with runner:
        if not read_only and (idle := await runner.why_idle()):
            warn(idle)
        try:
            yield runner
        except SpectraError as error:
            hint = await _hint(runner, error)
            raise Refusal(f"{error}{hint}", exit_code_of(error)) from error


async def _hint(runner: Runner, error: SpectraError) -> str:
    match error:
        case RunNotFoundError():
            with contextlib.suppress(UnknownInterruptError):
                asked = await runner.get_interrupt(error.run_id)
                return f"; that is an interrupt, and its run is {asked.request.run_id}"
            runs = [run.run_id for run in await runner.list_runs(limit=MANY)]
            return did_you_mean(error.run_id, runs) or (
                "; `spectra-bot runs` lists them" if runs else "; it has no runs yet"
            )
        case UnknownInterruptError():
            pending = await runner.list_pending(limit=MANY)
            of_run = [request.id for request in pending if request.run_id == error.interrupt_id]
            if of_run:
                return f"; that is a run, and its pending interrupts are: {', '.join(of_run)}"
            return did_you_mean(error.interrupt_id, [request.id for request in pending]) or (
                "; `spectra-bot pending` lists those that wait" if pending else "; none waits there"
            )
        case _:
            return ""
