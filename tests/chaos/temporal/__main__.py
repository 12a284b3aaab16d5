"""Kills workers, Temporal itself and bots with clicks in hand, and checks that nothing is lost or done twice.

    python -m tests.chaos.temporal --rounds 20 [--fault worker] [--seed N]

Three faults, so many rounds of each: a worker is killed within an effect of a step; the Temporal server is killed and
started again on what it has stored; one of two bots, of whom each gets a share of the clicks, is killed while some are
under way. All are `spectra-bot serve` on one development server, in front of a Slack on loopback. The seed decides
what is done; when exactly it hits is up to the machine. It prints what it counted for each fault, and exits with 1 and
a line BROKEN for each promise of the README that did not hold.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
from temporalio.runtime import Runtime, TelemetryConfig

from tests.chaos.temporal.rounds import FAULTS, carry_out, plan


@click.command(help=__doc__)
@click.option("--rounds", default=20, show_default=True, help="How often each fault strikes.")
@click.option("--fault", "faults", type=click.Choice(FAULTS), multiple=True, help="Only this one; several times.")
@click.option("--seed", type=int, help="What is done, by number; printed, and by chance where it is not given.")
def main(rounds: int, faults: tuple[str, ...], seed: int | None) -> None:
    seed = secrets.randbelow(10**6) if seed is None else seed
    click.echo(f"seed {seed}")
    # That Temporal is away is what is tried here, so nobody needs to hear of it.
    logging.basicConfig(level=logging.ERROR)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    folder = Path(tempfile.mkdtemp(prefix="spectra-temporal-"))
    is_broken = False
    for fault in faults or FAULTS:
        began = time.monotonic()
        report = asyncio.run(carry_out(plan(fault, rounds), f"{seed}/{fault}", folder / fault))
        click.echo(f"\n== {fault}")
        for line in report.lines():
            click.echo(line)
        click.echo(f"took {time.monotonic() - began:.0f} s")
        is_broken = is_broken or bool(report.problems)
    if is_broken:
        click.echo(f"the files are in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if is_broken else 0)


if __name__ == "__main__":
    main()
