"""What an agent may see of a folder: its plain text files, and nothing whose name begins with a dot."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from spectra_bot.demo.plain_files import NoPlainFileError, paths, read

MAX_LISTED = 500
MAX_LINES = 500
MAX_CHARACTERS = 40_000
"""A file is read in pieces of so many lines, or so much."""

_MADE = ("__pycache__", "node_modules")
"""Folders of files that nobody writes by hand."""


def visible(path: str) -> str:
    """The path as it stands in the folder, relative and without detours.

    Raises:
        NoPlainFileError: it leads out of the folder, or to what is hidden there.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise NoPlainFileError(f"{path or 'nothing'} is not a path inside the folder; write it relative to the folder")
    if not path.isprintable() or set(path) & set("\"'\\"):
        raise NoPlainFileError(f"{path!r} has characters that no file should have in its name")
    if hidden := [part for part in parts if part.startswith(".")]:
        raise NoPlainFileError(f"{path}: what begins with a dot, as {hidden[0]} does, is out of reach")
    return "/".join(parts)


def listed(folder: Path) -> list[str]:
    """The visible files, at most so many.

    Raises:
        OSError: the folder can't be read.
    """

    def left_out(place: Path) -> bool:
        name = place.name
        return name.startswith(".") or name in _MADE or (place / "pyvenv.cfg").is_file() or place.is_symlink()

    found: list[str] = []
    for path in paths(folder, [], leaves_out=left_out):
        if len(found) == MAX_LISTED:
            return [*found, f"... there are more than {MAX_LISTED} files"]
        found.append(path)
    return found


def text_of(folder: Path, path: str, first_line: int = 1) -> str:
    """A visible file's text from a line on; where it goes on, the last line says so.

    Raises:
        NoPlainFileError: there is no such text file within reach.
        OSError: it can't be read.
    """
    content = read(folder, visible(path))
    if content is None:
        raise NoPlainFileError(f"{path}: there is no such file")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise NoPlainFileError(f"{path} is no text") from error
    lines = text.split("\n")[max(first_line, 1) - 1 :]
    piece = "\n".join(lines[:MAX_LINES])[:MAX_CHARACTERS]
    if len(piece) < len("\n".join(lines)):
        return f"{piece}\n[The file goes on: {text.count(chr(10)):,} lines. Read on with first_line.]"
    return piece
