"""The root of the command line: its commands, loaded when they are called, and how errors end a process."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from spectra_bot.cli.exit_codes import ExitCode, Refusal, exit_code_of
from spectra_bot.cli.options import shared_options
from spectra_bot.errors import SpectraError
from spectra_bot.suggestions import did_you_mean

_COMMANDS = {
    "demo": "demo_command",
    "run": "starting",
    "answer": "steering",
    "cancel": "steering",
    "retry": "steering",
    "pending": "reading",
    "runs": "reading",
    "show": "reading",
    "history": "reading",
    "workflows": "reading",
    "serve": "serving",
    "worker": "serving",
    "doctor": "doctor",
    "backup": "caring",
    "prune": "caring",
}
"""Each command with the module that holds it: what a command needs is imported when it is called."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"spectra_bot.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{did_you_mean(args[0], list(_COMMANDS))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SpectraError as error:
            raise Refusal(str(error), exit_code_of(error)) from error
        except UnicodeEncodeError as error:  # an id or a name was asked for that can stand in no database
            raise Refusal(
                f"{error.object!r} is not Unicode text, so nothing here is named so", ExitCode.USAGE
            ) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 completed, 1 failed or cancelled, 2 usage, 3 waiting for an answer or a worker, "
    "4 refused and nothing changed, 130 stopped by Ctrl-C.",
)
@click.version_option(package_name="spectra-bot", prog_name="spectra-bot")
@shared_options
def main() -> None:
    """People decide in Slack, and the work goes on.

    Start with `spectra-bot demo`.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal must not stop a run
