"""What a file's first bytes say of it. SQLite is not asked: opening a file that is not ours would change it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from spectra_bot.errors import StoreError
from spectra_bot.store.schema import APPLICATION_ID

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
"""The header of a database: https://sqlite.org/fileformat2.html#the_database_header"""
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
"""The write-ahead log: https://sqlite.org/fileformat2.html#the_write_ahead_log"""


def refuse_unusable(path: Path) -> None:
    """Stop at a file that another program made, or that is plainly damaged; nothing is changed.

    An absent or empty file is free to be made ours.

    Raises:
        StoreError: says which.
        OSError: the file can't be read.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        return
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreError(f"database {path}: it is not a database; name another file, or restore it from a backup")
    application_id = _number(header, 68)
    if application_id == APPLICATION_ID:
        _refuse_truncated(path, header)
        return
    marks = [application_id] if application_id else _marks_in_log(path)
    if APPLICATION_ID not in marks and (marks or _has_tables(path)):
        raise StoreError(f"database {path}: it was made by another program; name another file")


def log_of(path: Path) -> Path:
    """Where SQLite keeps what is committed and not yet in the file itself."""
    return path.with_name(f"{path.name}-wal")


def has_log(path: Path) -> bool:
    """Something is committed beside the file."""
    log = log_of(path)
    return log.exists() and log.stat().st_size > _LOG_HEADER_BYTES


def _refuse_truncated(path: Path, header: bytes) -> None:
    """The header tells how long the file is, where no log is there that may yet make it longer."""
    is_told = header[24:28] == header[92:96]
    expected = _number(header, 28) * _page_size(header)
    size = path.stat().st_size
    if is_told and size < expected and not has_log(path):
        raise StoreError(
            f"database {path}: it is damaged: {size:,} of its {expected:,} bytes are there; restore it from a backup"
        )


def _marks_in_log(path: Path) -> list[int]:
    """The application ids that wait in the log for their way into the file: its maker is at it, or died soon after."""
    if not has_log(path):
        return []
    marks = []
    with log_of(path).open("rb") as log:
        size = _number(log.read(_LOG_HEADER_BYTES), 8)
        while len(frame := log.read(_FRAME_HEADER_BYTES + size)) == _FRAME_HEADER_BYTES + size:
            if _number(frame, 0) == 1:
                marks.append(_number(frame, _FRAME_HEADER_BYTES + 68))
    return marks


def _has_tables(path: Path) -> bool:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    finally:
        connection.close()
    return bool(tables)


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65_536 if size == 1 else size


def _number(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "big")
