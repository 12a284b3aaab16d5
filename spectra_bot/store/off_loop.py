"""A connection that refuses to work where an event loop runs: SQLite blocks, and everything would wait for it."""

from __future__ import annotations

import sqlite3
from asyncio import _get_running_loop as running_loop  # `get_running_loop` raises where none runs, which is always
from typing import Any

_WHY = "SQLite is used on an event loop's thread; a Writer has one of its own"


class OffLoopConnection(sqlite3.Connection):
    """Asserts at each use that no event loop runs on its thread; half a microsecond, so it is always on."""

    def execute(self, *args: Any) -> sqlite3.Cursor:
        assert running_loop() is None, _WHY  # noqa: S101  a mistake of the caller
        return super().execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        assert running_loop() is None, _WHY  # noqa: S101
        return super().executemany(*args)

    def executescript(self, *args: Any) -> sqlite3.Cursor:
        assert running_loop() is None, _WHY  # noqa: S101
        return super().executescript(*args)

    def cursor(self, *args: Any) -> Any:
        assert running_loop() is None, _WHY  # noqa: S101
        return super().cursor(*args)

    def backup(self, *args: Any, **options: Any) -> None:
        assert running_loop() is None, _WHY  # noqa: S101
        super().backup(*args, **options)
