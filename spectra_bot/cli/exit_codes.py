"""How a command ends: one number each, the same for every command."""

from __future__ import annotations

from enum import IntEnum

import click

from spectra_bot.errors import (
    DefinitionError,
    InvalidInputsError,
    InvalidWordError,
    NotFollowedError,
    NotRecordedError,
    SpectraError,
    UnknownWorkflowError,
)
from spectra_bot.runs import RunStatus
from spectra_bot.settings import SettingsError


class ExitCode(IntEnum):
    """What a script may rely on."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    REFUSED = 4
    STOPPED = 130
    """Stopped by Ctrl-C while a step was at work; the run is kept."""


class Refusal(click.ClickException):
    """An error as one clear line, with the number the process ends with."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click means it to be set, and says ClassVar


def exit_code_of(error: SpectraError) -> ExitCode:
    """Usage for what was called or set up wrongly; refused for everything the product said no to.

    What is stored already, or may still be, is neither: it waits for somebody to carry it on.
    """
    match error:
        case SettingsError() | DefinitionError() | UnknownWorkflowError() | InvalidInputsError() | InvalidWordError():
            return ExitCode.USAGE
        case NotRecordedError() | NotFollowedError():
            return ExitCode.WAITING
        case _:
            return ExitCode.REFUSED


def exit_code_of_run(status: RunStatus) -> ExitCode:
    """Where a run stands, as a number."""
    match status:
        case RunStatus.COMPLETED:
            return ExitCode.COMPLETED
        case RunStatus.FAILED | RunStatus.CANCELLED:
            return ExitCode.FAILED
        case RunStatus.INTERRUPTED:
            return ExitCode.WAITING
        case RunStatus.RUNNING:
            return ExitCode.STOPPED
