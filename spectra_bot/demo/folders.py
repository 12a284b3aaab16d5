"""Reads and writes the two folders of a release: nothing outside them, and no link is followed."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from spectra_bot.demo.changes import Change, Comparison, change_between, sha256
from spectra_bot.errors import SpectraError

MANIFEST = ".release-manifest.json"
"""Stands in the target, and is neither compared nor released."""
MAX_RELEASE_BYTES = 256 * 1024 * 1024
"""The changed files of one release together. They are read whole: what is checked is what is written."""


class ReleaseError(SpectraError):
    """A folder can't be released as it is; says which file, and whether anything was written."""


class _NoPlainFileError(Exception):
    """A link, a folder or a device stands where a plain file is expected."""


def compare(source: Path, target: Path) -> Comparison:
    """What is new or changed in the source.

    Raises:
        ReleaseError: a folder is missing, one lies inside the other, or a file can't be read.
    """
    _check_folders(source, target)
    changes: list[Change] = []
    skipped: list[str] = []
    same = size = 0
    with _readable():
        for path in _paths(source, skipped):
            try:
                content, before = _read(source, path), _read(target, path)
            except _NoPlainFileError as error:
                skipped.append(str(error))
                continue
            if content is None:
                continue
            change = change_between(path, content, before)
            same += change is None
            if change is not None:
                changes.append(change)
                size += change.size
            if size > MAX_RELEASE_BYTES:
                raise ReleaseError(f"more than {MAX_RELEASE_BYTES:,} bytes are new or changed; release them in parts")
    return Comparison(changes=tuple(changes), skipped=tuple(skipped), same=same)


def check(source: Path, target: Path, changes: Sequence[Change]) -> dict[str, bytes]:
    """The contents to write, by path, after making sure that nothing changed since it was shown.

    A file that holds the approved content already is left out: an earlier execution wrote it.

    Raises:
        ReleaseError: naming every file that changed; this call wrote nothing.
    """
    _check_folders(source, target)
    to_write: dict[str, bytes] = {}
    problems: list[str] = []
    held = 0
    with _readable():
        for change in changes:
            try:
                content, before = _read(source, change.path), _read(target, change.path)
            except _NoPlainFileError as error:
                problems.append(str(error))
                continue
            now = None if before is None else sha256(before)
            if now == change.source_sha256:
                held += 1
            elif content is None or sha256(content) != change.source_sha256:
                problems.append(f"{change.path} in the source {'is gone' if content is None else 'changed'}")
            elif now != change.target_sha256:
                problems.append(f"{change.path} in the target {'is gone' if now is None else 'changed'}")
            else:
                to_write[change.path] = content
        if (target / MANIFEST).is_dir():
            problems.append(f"{MANIFEST} in the target is a folder")
    if problems:
        wrote = f", though {held} of {len(changes)} files hold the approved content already" if held else ""
        raise ReleaseError(
            f"stopped, because of what happened since it was shown: {'; '.join(problems)}; "
            f"nothing was written{wrote}. Start a new run to see what is there"
        )
    return to_write


def write(source: Path, target: Path, path: str, content: bytes) -> None:
    """Put one file in its place, whole or not at all.

    A changed file keeps its mode; a new one has the source's.

    Raises:
        ReleaseError: it can't be written.
    """
    place = target / path
    try:
        kept = place if place.exists() else source / path
        mode = stat.S_IMODE(kept.stat().st_mode) & 0o777
        place.parent.mkdir(parents=True, exist_ok=True)
        _replace(place, content, mode)
    except OSError as error:
        raise ReleaseError(f"{path} can't be written: {error.strerror}; retry the run when that is mended") from error


def write_manifest(target: Path, manifest: Mapping[str, object]) -> None:
    """Put the manifest into the target, in place of an earlier one.

    Raises:
        ReleaseError: it can't be written.
    """
    try:
        _replace(target / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(), 0o644)
    except OSError as error:
        raise ReleaseError(
            f"{MANIFEST} can't be written: {error.strerror}; retry the run when that is mended"
        ) from error


def _check_folders(source: Path, target: Path) -> None:
    for name, folder in (("source", source), ("target", target)):
        if not folder.is_dir():
            raise ReleaseError(f"{name}: {folder} is {'no folder' if folder.exists() else 'not there'}")
    if source == target or source in target.parents or target in source.parents:
        raise ReleaseError(f"source and target must be two separate folders, not {source} and {target}")


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReleaseError(f"{error.filename} can't be read: {error.strerror}") from error


def _paths(root: Path, skipped: list[str]) -> Iterator[str]:
    """Every plain file below a folder, in order; what is left alone goes into `skipped`."""

    def stop(error: OSError) -> None:
        raise error

    for folder, names, files in os.walk(root, onerror=stop):
        names.sort()
        here = Path(folder).relative_to(root)
        linked = [name for name in names if (Path(folder) / name).is_symlink()]
        skipped.extend(f"{_shown((here / name).as_posix())} is a link" for name in linked)
        for name in sorted(files):
            path = (here / name).as_posix()
            if path == MANIFEST:
                continue
            if _shown(path) != path:
                skipped.append(f"{_shown(path)} has a name that is not UTF-8")
                continue
            yield path


def _shown(path: str) -> str:
    """The path as JSON can hold it."""
    return path.encode("utf-8", "backslashreplace").decode()


def _read(root: Path, path: str) -> bytes | None:
    """The content of a plain file below `root`, None where there is nothing.

    Raises:
        _NoPlainFileError: it, or a folder on the way, is a link or something else.
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
            raise _NoPlainFileError(f"{shown} in {root} is a link")
        if depth < len(parts) and not stat.S_ISDIR(mode):
            raise _NoPlainFileError(f"{shown} in {root} is no folder")
    if not stat.S_ISREG(mode):
        raise _NoPlainFileError(f"{path} in {root} is no plain file")
    return place.read_bytes()


def _replace(place: Path, content: bytes, mode: int) -> None:
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


def contents(folder: Path) -> Iterable[tuple[str, bytes]]:
    """Every plain file of a folder with its content, the manifest included."""
    found = [*_paths(folder, []), *([MANIFEST] if (folder / MANIFEST).is_file() else [])]
    for path in sorted(found):
        try:
            content = _read(folder, path)
        except _NoPlainFileError:
            continue
        if content is not None:
            yield path, content
