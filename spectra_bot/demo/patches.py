"""Checks and applies patches to a folder, by `git apply`, which need not find a repository there.

A patch is applied to copies first. What comes of them is compared with the files, so what people look at, and what is
written at last, is the change itself and not the patch as somebody wrote it: an offset or a wrong count in it can't
make a difference between the two.
"""

from __future__ import annotations

import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from spectra_bot.demo.changes import Change, change_between, diff_of, sha256
from spectra_bot.demo.plain_files import NoPlainFileError, paths, read, replace
from spectra_bot.demo.visible_files import visible
from spectra_bot.errors import SpectraError
from spectra_bot.settings import environment_of_others

MAX_PATCH_CHARACTERS = 60_000
"""What is longer, nobody looks through."""
KEPT = ".triage"
"""The folder in the folder where applied patches are kept, so that they can be undone."""

_GIT_S = 30.0
_UNWELCOME = re.compile(r"^(rename|copy) (from|to) |^(deleted|new) file mode 1[26]|^GIT binary patch", re.MULTILINE)
_HEAD = re.compile(r"^(?=--- .*\n\+\+\+ .*\n@@ -)", re.MULTILINE)
"""These lines stand outside of hunks, where each line begins with a space, a sign or a backslash."""


class PatchError(SpectraError):
    """A patch can't be applied as it is; says why, and nothing was changed."""


def has_git() -> bool:
    """Patches can be applied here."""
    return shutil.which("git") is not None


def changes_of(folder: Path, patch: str) -> tuple[Change, ...]:
    """What a patch would change in a folder; changes nothing.

    Raises:
        PatchError: it can't be read or does not apply; it leaves the folder, follows a link, or does more than
            change and create text files; or it changes nothing.
    """
    if len(patch) > MAX_PATCH_CHARACTERS:
        raise PatchError(f"the patch has {len(patch):,} characters, and {MAX_PATCH_CHARACTERS:,} are the limit")
    if found := _UNWELCOME.search(patch):
        raise PatchError(f"a patch may change and create text files only; it has {found.group().strip()!r}")
    patch = patch if patch.endswith("\n") else f"{patch}\n"
    before = {path: _content(folder, path) for path in _paths_in(patch)}
    after = _patched(patch, before)
    changes = [change_between(path, after[path], content) for path, content in before.items()]
    found_changes = tuple(change for change in changes if change is not None)
    for change in found_changes:
        if not change.diff.startswith("--- "):
            raise PatchError(f"a patch may change and create text files only; {change.diff.strip()}")
        if not change.size and change.kind == "new":
            raise PatchError(f"{change.path} would be new and empty, and a diff can't show that; give it a line")
    if not found_changes:
        raise PatchError("the patch changes nothing")
    return found_changes


def apply(folder: Path, changes: Sequence[Change], *, keep_as: str) -> str:
    """Make the changes, and keep them as a patch in the folder; returns the command that undoes them.

    Doing it again is harmless: a file that holds the new content already is left alone.

    Raises:
        PatchError: naming every file that changed since it was looked at; this call wrote nothing.
        OSError: a file can't be written; the same again goes on.
    """
    to_write: dict[str, bytes] = {}
    problems = []
    held = 0
    for change in changes:
        content = _content(folder, change.path)
        now = None if content is None else sha256(content)
        if now == change.source_sha256:
            held += 1
        elif now != change.target_sha256:
            problems.append(f"{change.path} {'is gone' if now is None else 'changed'}")
        else:
            to_write[change.path] = _patched(change.diff, {change.path: content})[change.path]
            if sha256(to_write[change.path]) != change.source_sha256:
                raise PatchError(f"{change.path} would not become what was shown; nothing was applied")
    if problems:
        wrote = f", though {held} of {len(changes)} files hold the new content already" if held else ""
        raise PatchError(f"since the patch was shown {', '.join(problems)}; nothing was applied{wrote}")
    kept = _keep(folder, changes, keep_as)
    for path, content in to_write.items():
        place = folder / path
        mode = stat.S_IMODE(place.stat().st_mode) & 0o777 if place.exists() else 0o644
        place.parent.mkdir(parents=True, exist_ok=True)
        replace(place, content, mode)
    return f"cd {shlex.quote(str(folder))} && git apply -R {shlex.quote(kept)}"


def _keep(folder: Path, changes: Sequence[Change], name: str) -> str:
    kept = f"{KEPT}/{name}.patch"
    for path, content in ((f"{KEPT}/.gitignore", "*\n"), (kept, diff_of(changes))):
        _plain(folder, path)
        (folder / KEPT).mkdir(exist_ok=True)
        replace(folder / path, content.encode(), 0o644)
    return kept


def _content(folder: Path, path: str) -> bytes | None:
    try:
        return _plain(folder, visible(path))
    except NoPlainFileError as error:
        raise PatchError(str(error)) from error


def _plain(folder: Path, path: str) -> bytes | None:
    try:
        return read(folder, path)
    except NoPlainFileError as error:
        raise PatchError(str(error)) from error
    except OSError as error:
        raise PatchError(f"{path} can't be read: {error.strerror}") from error


def _paths_in(patch: str) -> list[str]:
    """The files that a patch touches, as `git apply` reads it."""
    with tempfile.TemporaryDirectory(prefix="spectra-patch-") as place:
        listing = _git_apply(["--numstat", "-z"], patch, Path(place).resolve())
    return list(dict.fromkeys(line.split("\t", 2)[2] for line in listing.split("\0") if line))


def _patched(patch: str, before: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """What the files become, by path.

    Raises:
        PatchError: the patch does not apply to them, deletes one, or makes something else of it.
    """
    with tempfile.TemporaryDirectory(prefix="spectra-patch-") as place:
        root = Path(place).resolve()
        for path, content in before.items():
            if content is not None:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
        _git_apply(["--whitespace=nowarn"], patch, root)
        try:
            after = {path: read(root, path) for path in paths(root, [])}
        except NoPlainFileError as error:
            raise PatchError("a patch may change and create text files only; this one makes a link") from error
    if deleted := [path for path in before if after.get(path) is None]:
        raise PatchError(f"a patch may change and create text files only; this one deletes {', '.join(deleted)}")
    if other := sorted(set(after) - set(before)):
        raise PatchError(f"the patch can be read in more ways than one; in one of them it makes {', '.join(other)}")
    return {path: content for path, content in after.items() if content is not None}


def _git_apply(words: Sequence[str], patch: str, root: Path) -> str:
    """What `git apply` says of a patch: as it stands, or with its lines counted anew where that is refused.

    Raises:
        PatchError: it refuses the patch either way, or is not there.
    """
    try:
        return _git(words, patch, root)
    except PatchError as refused:
        # Counting goes on over the head of the next file, unless a line like this stands before it.
        apart = _HEAD.sub("diff of a file\n", patch)
        try:
            return _git([*words, "--recount"], apart, root)
        except PatchError:
            raise refused from None


def _git(words: Sequence[str], patch: str, root: Path) -> str:
    """What `git apply` says of a patch, in a folder that it takes for no part of a repository.

    Raises:
        PatchError: it refuses the patch, or is not there.
    """
    git = shutil.which("git")
    if git is None:
        raise PatchError("git is not installed, and patches are applied by it")
    environment = {name: value for name, value in environment_of_others().items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(  # noqa: S603  no word of it is anybody else's
            [git, "apply", *words, "-"],
            cwd=root,
            env=environment,
            input=patch.encode(),
            capture_output=True,
            timeout=_GIT_S,
            check=False,
        )
    except UnicodeEncodeError as error:
        raise PatchError("the patch is not Unicode text") from error
    except subprocess.TimeoutExpired as error:
        raise PatchError(f"git did not come to an end with the patch in {_GIT_S:.0f} seconds") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace("error: ", "")
        raise PatchError(f"git can't apply the patch: {said}")
    return done.stdout.decode(errors="replace")
