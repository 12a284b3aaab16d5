"""What SQLite complains of, in words that say what to do."""

from __future__ import annotations

import sqlite3

BUSY_TIMEOUT_S = 30.0
"""How long a statement waits for another program's transaction."""

_PRIMARY = 0xFF
"""SQLite's extended codes hold their primary one in the lowest byte."""


def in_words(error: sqlite3.Error) -> str:
    """An error of SQLite as what happened and what to do, with SQLite's own words behind it."""
    match _code(error):
        case sqlite3.SQLITE_FULL:
            said = "the disk is full, so nothing was stored; make room and try again"
        case sqlite3.SQLITE_BUSY:
            said = "another program has kept it locked for too long, so nothing was stored; end that one and try again"
        case sqlite3.SQLITE_READONLY:
            said = "it can't be written to; let this user read and write the file and its folder"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            said = (
                "it can't be opened; this user needs to read and write the file, its folder and what stands beside it"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            said = "it is damaged; stop what uses it and restore it from a backup"
        case sqlite3.SQLITE_IOERR:
            said = "the disk fails; look at the system's log"
        case _:
            return str(error)
    return f"{said} ({error})"


def is_busy(error: Exception) -> bool:
    """Another program's transaction was in the way all the time."""
    return isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)  # Python's own errors have none
    return None if code is None else code & _PRIMARY
