"""Reads and writes the two folders of a release: nothing outside them, and no link is followed."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from spectra_bot.demo.changes import Change, Comparison, change_between, sha256
from spectra_bot.demo.plain_files import NoPlainFileError, paths, read, replace
from spectra_bot.errors import SpectraError

MANIFEST = ".release-manifest.json"
"""Stands in the target, and is neither compared nor released."""
MAX_RELEASE_BYTES = 256 * 1024 * 1024
"""The changed files of one release together. They are read whole: what is checked is what is written."""


class ReleaseError(SpectraError):
    """A folder can't be released as it is; says which file, and whether anything was written."""


def absolute(path: object) -> Path:
    """A folder as an input names it, for every process.

    Raises:
        ValueError: it names none.
    """
    if not isinstance(path, str | Path) or not str(path).strip():
        raise ValueError("name a folder")
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a circle of links, or a home folder that nobody has
        raise ValueError(str(error)) from error


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
                content, before = read(source, path), read(target, path)
            except NoPlainFileError as error:
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
                content, before = read(source, change.path), read(target, change.path)
            except NoPlainFileError as error:
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
        replace(place, content, mode)
    except OSError as error:
        raise ReleaseError(f"{path} can't be written: {error.strerror}; retry the run when that is mended") from error


def write_manifest(target: Path, manifest: Mapping[str, object]) -> None:
    """Put the manifest into the target, in place of an earlier one.

    Raises:
        ReleaseError: it can't be written.
    """
    try:
        replace(target / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(), 0o644)
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


def contents(folder: Path) -> Iterable[tuple[str, bytes]]:
    """Every plain file of a folder with its content, the manifest included."""
    found = [*_paths(folder, []), *([MANIFEST] if (folder / MANIFEST).is_file() else [])]
    for path in sorted(found):
        try:
            content = read(folder, path)
        except NoPlainFileError:
            continue
        if content is not None:
            yield path, content


def _paths(folder: Path, skipped: list[str]) -> Iterator[str]:
    return (path for path in paths(folder, skipped) if path != MANIFEST)
