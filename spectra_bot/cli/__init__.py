"""The command line: `spectra-bot`."""

from spectra_bot.cli.process import run
from spectra_bot.cli.root import main

__all__ = ["main", "run"]
