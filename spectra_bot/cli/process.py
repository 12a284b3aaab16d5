"""The process of a command: what the program `spectra-bot` runs, from its start to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from spectra_bot.cli.root import main


def run() -> None:
    """Carry out the command that was typed, and end the process with its number."""
    try:
        main()
    except SystemExit as end:
        if "temporalio" in sys.modules:
            _end_at_once(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        raise


def _end_at_once(code: int) -> None:
    """End without taking the interpreter down: threads of Temporal's SDK may still be in it, and abort the process.

    https://github.com/temporalio/sdk-python/issues/300
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)
