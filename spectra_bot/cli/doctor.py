"""`doctor`: one line for each part, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import assert_never

import click
from rich.text import Text

from spectra_bot.cli.checks import Finding, Verdict, findings
from spectra_bot.cli.exit_codes import ExitCode
from spectra_bot.cli.options import Call, with_call_as_it_is
from spectra_bot.cli.output import print_records, stdout
from spectra_bot.printable import printable
from spectra_bot.redact import redact


@click.command()
@with_call_as_it_is
def doctor(call: Call) -> None:
    """Check the setup, with what to do about each problem.

    Settings, database, workflows, installation, Slack and queue; ends with 1 if something is wrong.
    """
    found = asyncio.run(findings(call.settings, bad_settings=call.bad_settings))
    if call.as_json:
        print_records([each.record() for each in found])
    else:
        for finding in found:
            stdout().print(_line(finding), soft_wrap=True)
    if any(finding.verdict is Verdict.PROBLEM for finding in found):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _line(finding: Finding) -> Text:
    match finding.verdict:
        case Verdict.OK:
            style = "green"
        case Verdict.OFF:
            style = "dim"
        case Verdict.PROBLEM:
            style = "red"
        case _:
            assert_never(finding.verdict)
    said = printable(redact(f"{finding.subject}: {finding.said}"))
    return Text.assemble((f"{finding.verdict.value:8}", style), said)
