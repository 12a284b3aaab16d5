"""A copy of the file, made and checked beside whoever serves it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spectra_bot.errors import StoreError
from spectra_bot.store import queries as q
from spectra_bot.store.connection import open_database
from spectra_bot.store.faults import in_words

PAGES_A_STEP = 1024
"""So many pages are copied between two words of progress."""
MOST_PROBLEMS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made."""

    path: Path
    size_bytes: int
    runs: int


def back_up(
    database: Path,
    to: Path,
    *,
    overwrites: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Backup:
    """Copy the database as it is at this moment, while others go on writing to it.

    The copy is checked before it gets its name, and has mode 0600. It is one file, and holds no owner: in it every
    run is free to be carried on, whatever becomes of the processes that own the original's.

    Args:
        overwrites: another file of that name is replaced.
        progress: told how many pages of how many are copied.

    Raises:
        StoreError: there is such a file, it is the database itself, or the disk or the database is at fault.
    """
    _refuse_target(database, to, overwrites=overwrites)
    source = open_database(str(database), read_only=True, takes_older=True).conn
    try:
        with _named_when_done(to, overwrites=overwrites) as place, contextlib.closing(_new(place)) as copy:
            # One snapshot: without it the copying would start again with each commit of a process that serves.
            source.execute("begin")
            source.execute("select 1 from runs").fetchone()
            source.backup(copy, pages=PAGES_A_STEP, progress=lambda _, left, total: progress(total - left, total))
            copy.execute("pragma journal_mode = delete")
            copy.execute(q.FORGET_OWNERS)
            problems = _problems(copy, "integrity_check")
            if problems:
                raise StoreError(f"backup {to}: not made, for the database is damaged: {'; '.join(problems)}")
            (runs,) = copy.execute("select count(*) from runs").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"backup {to}: {in_words(error)}") from error
    except OSError as error:
        raise StoreError(f"backup {to}: {error.strerror or error}") from error
    finally:
        source.close()
    return Backup(path=to, size_bytes=to.stat().st_size, runs=int(runs))


def find_damage(database: Path) -> list[str]:
    """What a quick check of the whole file finds, a few lines at most; it reads every page.

    Raises:
        StoreError: the file can't be opened, or not be read to its end.
    """
    connection = open_database(str(database), read_only=True, takes_older=True).conn
    try:
        return _problems(connection, "quick_check")
    except sqlite3.Error as error:
        raise StoreError(f"database {database}: {in_words(error)}") from error
    finally:
        connection.close()


def _refuse_target(database: Path, to: Path, *, overwrites: bool) -> None:
    beside = [Path(f"{to}{end}") for end in ("-wal", "-journal")]
    if to.exists() and database.exists() and to.samefile(database):
        raise StoreError(f"backup {to}: that is the database itself; name another file")
    if to.absolute() in (Path(f"{database.absolute()}{end}") for end in ("-wal", "-shm", "-journal")):
        raise StoreError(f"backup {to}: that belongs to the database itself; name another file")
    if to.exists() and not to.is_file():  # a device would be taken from everybody on the machine
        raise StoreError(f"backup {to}: that is a device or a pipe, and no file; name another")
    if to.exists() and not overwrites:
        raise StoreError(f"backup {to}: it is there already; name another file, or replace it with --force")
    for other in beside:
        if other.exists():  # SQLite would take it for the copy's own
            raise StoreError(f"backup {to}: {other.name} stands beside it, so it may be in use; name another file")


@contextlib.contextmanager
def _named_when_done(to: Path, *, overwrites: bool) -> Iterator[Path]:
    """A file beside another that gets its name when all went well, and is removed when not."""
    descriptor, name = tempfile.mkstemp(prefix=f".{to.name}.", suffix=".part", dir=to.absolute().parent)
    os.close(descriptor)
    try:
        yield Path(name)
        if to.exists() and not overwrites:
            raise StoreError(f"backup {to}: it was made by another meanwhile; name another file")
        os.replace(name, to)
        _sync(to.absolute().parent)
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            Path(f"{name}{end}").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Have a new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _problems(connection: sqlite3.Connection, check: str) -> list[str]:
    rows = connection.execute(f"pragma {check}({MOST_PROBLEMS})").fetchall()
    return [str(problem) for (problem,) in rows if problem != "ok"]
