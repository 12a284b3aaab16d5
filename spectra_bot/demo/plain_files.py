"""The plain files of a folder: nothing outside it is read or written, and no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


class NoPlainFileError(Exception):
    """A link, a folder or a device stands where a plain file is expected."""


def paths(root: Path, skipped: list[str], *, leaves_out: Callable[[Path], bool] = lambda _: False) -> Iterator[str]:
    """Every plain file below a folder, in order; what is left alone goes into `skipped`.

    Args:
        leaves_out: true for a file or folder that is passed over without a word.
    """

    def stop(error: OSError) -> None:
        raise error

    for folder, names, files in os.walk(root, onerror=stop):
        names[:] = sorted(name for name in names if not leaves_out(Path(folder) / name))
        here = Path(folder).relative_to(root)
        linked = [name for name in names if (Path(folder) / name).is_symlink()]
        skipped.extend(f"{_shown((here / name).as_posix())} is a link" for name in linked)
        for name in sorted(files):
            path = (here / name).as_posix()
            if leaves_out(Path(folder) / name):
                continue
            if _shown(path) != path:
                skipped.append(f"{_shown(path)} has a name that is not UTF-8")
                continue
            yield path


def read(root: Path, path: str) -> bytes | None:
    """The content of a plain file below `root`, None where there is nothing.

    Raises:
        NoPlainFileError: it, or a folder on the way, is a link or something else.
    """
    place = root
    parts = path.split("/")
    for depth, part in enumerate(parts, 1):
        place = place / part
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        shown = "/".join(parts[:depth])
        if stat.S_ISLNK(mode):
            raise NoPlainFileError(f"{shown} in {root} is a link")
        if depth < len(parts) and not stat.S_ISDIR(mode):
            raise NoPlainFileError(f"{shown} in {root} is no folder")
    if not stat.S_ISREG(mode):
        raise NoPlainFileError(f"{path} in {root} is no plain file")
    return place.read_bytes()


def replace(place: Path, content: bytes, mode: int) -> None:
    """Put a content in its place, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on disk too, before the run says so
    finally:
        os.close(folder)


def _shown(path: str) -> str:
    """The path as JSON can hold it."""
    return path.encode("utf-8", "backslashreplace").decode()
