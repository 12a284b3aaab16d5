"""The engine past one machine: the same workflows and handlers, carried out by Temporal.

It needs the extra `temporal`, so it is imported only where it is used.
"""

from spectra_bot.temporal.options import TemporalOptions

__all__ = ["TemporalOptions"]
