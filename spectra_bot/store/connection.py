"""Opening the file: ours or new, private to its owner, durable at each commit."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from spectra_bot.errors import StoreError
from spectra_bot.store.off_loop import OffLoopConnection
from spectra_bot.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrations

BUSY_TIMEOUT_S = 30.0
"""How long a statement waits for another process's transaction."""


def open_database(path: str, *, read_only: bool = False) -> Database:
    """A connection of the calling thread, with the newest schema.

    The file is made with mode 0600. A file that is not ours, or newer than this program, is not touched.

    Raises:
        StoreError: no such file to read, not ours, too new, or not to be opened.
    """
    try:
        return _open(path, read_only=read_only)
    except sqlite3.Error as error:
        raise StoreError(f"database {path}: {error}") from error
    except OSError as error:
        raise StoreError(f"database {path}: {error.strerror or error}") from error


def _open(path: str, *, read_only: bool) -> Database:
    in_memory = path == ":memory:"
    if not in_memory:
        if read_only and not Path(path).exists():
            raise StoreError(f"database {path}: there is none yet; the first run makes it")
        if not read_only:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    uri = path if in_memory else f"{Path(path).absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        uri, uri=not in_memory, isolation_level=None, timeout=BUSY_TIMEOUT_S, factory=OffLoopConnection
    )
    try:
        _refuse_foreign(connection, path)
        if not read_only:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        database = Database(connection, recursive_triggers=False)
        if not read_only:
            _migrate(database)
    except BaseException:
        connection.close()
        raise
    return database


def _refuse_foreign(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("begin")  # one snapshot: another process may be making the schema just now
    (application_id,) = connection.execute("pragma application_id").fetchone()
    (version,) = connection.execute("pragma user_version").fetchone()
    (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    connection.execute("commit")
    if application_id != APPLICATION_ID and (tables or application_id):
        raise StoreError(f"database {path}: it was made by another program; name another file")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"database {path}: its schema is version {version} and this program knows {SCHEMA_VERSION}; "
            "update spectra-bot"
        )


def _migrate(database: Database) -> None:
    """Bring the schema up to date; of several processes that start at once, one does it."""
    connection = database.conn
    (version,) = connection.execute("pragma user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.execute("begin immediate")
    try:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        migrations.apply(database)
        connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
