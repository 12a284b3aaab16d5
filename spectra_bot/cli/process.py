"""The process of a command: what the program `spectra-bot` runs, from its start to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading

from spectra_bot.cli.root import main

logger = logging.getLogger(__name__)

STOP_S = 25.0
"""How long a bot on Temporal may take to stop: its steps have 10 s to clean up, and Kubernetes kills it after 30 s."""


def run() -> None:
    """Carry out the command that was typed, and end the process with its number."""
    try:
        main()
    except SystemExit as end:
        if "temporalio" in sys.modules:
            _end_at_once(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        raise


def end_within(seconds: float) -> None:
    """End this process with 0 after some time, unless it has ended by then: it was told to stop, and nothing is lost.

    What is left of its work is others' to take over. Temporal's SDK (1.35) was seen to wait for minutes for calls that
    a server never answered, because it was away itself.
    """

    def end() -> None:
        logger.warning("process did not stop in time, and is ended")
        _end_at_once(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _end_at_once(code: int) -> None:
    """End without taking the interpreter down: threads of Temporal's SDK may still be in it, and abort the process.

    https://github.com/temporalio/sdk-python/issues/300
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)
