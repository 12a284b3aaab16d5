"""The embedded engine: runs on asyncio and one SQLite file."""

from spectra_bot.embedded.engine import EmbeddedEngine
from spectra_bot.embedded.ownership import LEASE_S

__all__ = ["LEASE_S", "EmbeddedEngine"]
