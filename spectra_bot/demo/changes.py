"""What is different between two folders: pure, from contents to changes, diffs and words."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_DIFFED_BYTES = 200_000
"""A larger file is named with its size and hash, not diffed."""
MAX_DIFF_CHARACTERS = 500_000
"""All diffs of one question together; what does not fit is named."""


class Change(BaseModel):
    """A file that is new in the source, or different from the target's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Relative to both folders, with slashes."""
    kind: Literal["new", "changed"]
    size: int
    source_sha256: str
    target_sha256: str | None
    """None where the target has no such file."""
    diff: str
    """A unified diff, or one line that says why there is none."""


class Comparison(BaseModel):
    """Everything that a release may bring over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changes: tuple[Change, ...] = ()
    skipped: tuple[str, ...] = ()
    """What is left alone, with the reason: links, and what is no plain file."""
    same: int = 0
    """How many files are equal already."""


def sha256(content: bytes) -> str:
    """The hash that a decision is bound to."""
    return hashlib.sha256(content).hexdigest()


def change_between(path: str, source: bytes, target: bytes | None) -> Change | None:
    """The change that brings `source` to where `target` is; None where they are equal."""
    if source == target:
        return None
    return Change(
        path=path,
        kind="new" if target is None else "changed",
        size=len(source),
        source_sha256=sha256(source),
        target_sha256=None if target is None else sha256(target),
        diff=_diff(path, source, target),
    )


def diff_of(changes: Iterable[Change]) -> str:
    """The diffs of several changes as one text; past the limit a file is only named."""
    parts: list[str] = []
    room = MAX_DIFF_CHARACTERS
    for change in changes:
        part = change.diff
        if len(part) > room:
            part = f"{change.path}: not shown, the diffs before it fill {MAX_DIFF_CHARACTERS:,} characters\n"
        else:
            room -= len(part)
        parts.append(part)
    return "".join(parts)


def in_words(changes: Sequence[Change]) -> str:
    """How many files, and of which kind."""
    new = sum(change.kind == "new" for change in changes)
    parts = [f"{new} new" if new else "", f"{len(changes) - new} changed" if len(changes) > new else ""]
    files = "1 file" if len(changes) == 1 else f"{len(changes)} files"
    return f"{files} ({', '.join(part for part in parts if part)})"


def manifest(run_id: str, approved_by: str | None, changes: Iterable[Change]) -> dict[str, object]:
    """What a run released, with the hash of each file; the same at each re-run."""
    return {
        "workflow": "release",
        "run_id": run_id,
        "approved_by": approved_by,
        "files": {change.path: f"sha256:{change.source_sha256}" for change in changes},
    }


def _diff(path: str, source: bytes, target: bytes | None) -> str:
    new, old = _lines(source), _lines(target or b"")
    if new is None or old is None:
        why = "larger than is diffed" if max(len(source), len(target or b"")) > MAX_DIFFED_BYTES else "binary"
        verb = "is new" if target is None else "differs"
        return f"{path}: {why}, {verb}: {len(source):,} bytes, sha256 {sha256(source)}\n"
    names = ("/dev/null" if target is None else f"a/{path}", f"b/{path}")
    lines = list(difflib.unified_diff(old, new, *names))
    if not lines:  # a new file without content
        return f"--- {names[0]}\n+++ {names[1]}\n"
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(content: bytes) -> list[str] | None:
    """The lines of a text with their ends; None where it is no text, or too long to diff."""
    if len(content) > MAX_DIFFED_BYTES or b"\0" in content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    # Only \n ends a line: splitlines() would also split at \x0c or \u2028, and the diff would not say so.
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])
