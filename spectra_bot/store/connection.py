"""Opening the file: ours or new, private to its owner, durable at each commit."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from spectra_bot.errors import StoreError
from spectra_bot.store.faults import BUSY_TIMEOUT_S, in_words
from spectra_bot.store.header import has_log, refuse_unusable
from spectra_bot.store.off_loop import OffLoopConnection
from spectra_bot.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrations


def open_database(path: str, *, read_only: bool = False, takes_older: bool = False) -> Database:
    """A connection of the calling thread, with the newest schema.

    The file is made with mode 0600. A file that is not ours, or newer than this program, is not touched.

    Args:
        takes_older: an older schema may be read as it is.

    Raises:
        StoreError: no such file to read, not ours, damaged, too new, too old to read only, or not to be opened.
    """
    try:
        database = _open(path, read_only=read_only)
    except sqlite3.Error as error:
        raise StoreError(f"database {path}: {in_words(error)}") from error
    except PermissionError as error:
        needed = "read it" if read_only else "read and write it and its folder"
        raise StoreError(f"database {path}: {error.strerror}; let this user {needed}") from error
    except OSError as error:
        raise StoreError(f"database {path}: {error.strerror or error}") from error
    if not takes_older:
        _refuse_older(database, path)
    return database


def _open(path: str, *, read_only: bool) -> Database:
    if path == ":memory:":
        return _prepared(sqlite3.connect(path, isolation_level=None, factory=OffLoopConnection), path)
    file = Path(path).absolute()
    if read_only and not file.exists():
        raise StoreError(f"database {path}: there is none yet; the first run makes it")
    key = _open_here.enter(file, creates=not read_only)
    try:
        database = _looked_at(file, path) if read_only else _prepared(_connect(file, "mode=rw"), path)
    except BaseException:
        _open_here.leave(key)
        raise
    if isinstance(database.conn, _Connection):
        database.conn.key = key
    return database


def _looked_at(file: Path, path: str) -> Database:
    try:
        return _prepared(_connect(file, "mode=ro"), path, read_only=True)
    except sqlite3.OperationalError:
        if has_log(file):
            raise
        # The folder takes no file beside it, so nobody has it open for writing: it stands still.
        return _prepared(_connect(file, "immutable=1"), path, read_only=True)


def _connect(file: Path, how: Literal["mode=rw", "mode=ro", "immutable=1"]) -> sqlite3.Connection:
    uri = f"{file.as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, factory=_Connection)


def _prepared(connection: sqlite3.Connection, path: str, *, read_only: bool = False) -> Database:
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


def _refuse_older(database: Database, path: str) -> None:
    """A file that was only opened for reading has the schema it had."""
    (version,) = database.conn.execute("pragma user_version").fetchone()
    if version < SCHEMA_VERSION:
        database.conn.close()
        raise StoreError(
            f"database {path}: its schema is version {version} and this program reads {SCHEMA_VERSION}; "
            "`spectra-bot serve`, or any command that changes something, brings it up to date"
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


_Key = tuple[int, int]
"""Device and inode: one file, by whatever name."""


class _OpenHere:
    """Which files this process has open, so that only SQLite touches those.

    Closing any descriptor of a file drops all of a process's locks on it, SQLite's too:
    https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    So a file is looked at, and made, only while no connection of ours is open on it.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._connections: Counter[_Key] = Counter()

    def enter(self, file: Path, *, creates: bool) -> _Key:
        """Look whether a file is ours, make it if need be, and count one more connection.

        Raises:
            StoreError: not ours, or damaged.
        """
        with self._mutex:
            if not (file.exists() and self._connections[_key_of(file)]):
                refuse_unusable(file)
                if creates:
                    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            key = _key_of(file)
            self._connections[key] += 1
            return key

    def leave(self, key: _Key) -> None:
        """Count one less."""
        with self._mutex:
            self._connections[key] -= 1
            if not self._connections[key]:
                del self._connections[key]


def _key_of(file: Path) -> _Key:
    found = file.stat()
    return found.st_dev, found.st_ino


_open_here = _OpenHere()


class _Connection(OffLoopConnection):
    """A connection that is counted until it is closed."""

    key: _Key | None = None

    def close(self) -> None:
        super().close()
        if self.key is not None:
            _open_here.leave(self.key)
            self.key = None
