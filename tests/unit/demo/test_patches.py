from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from spectra_bot.demo import patches
from spectra_bot.demo.changes import Change, diff_of
from spectra_bot.demo.patches import MAX_PATCH_CHARACTERS, PatchError, changes_of

BEFORE = "one\ntwo\nthree\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    (place / "a.txt").write_text(BEFORE)
    return place


def patch_of(path: str, *lines: str, old: str | None = None) -> str:
    body = "".join(f"{line}\n" for line in lines or (" one", "-two", "+TWO", " three"))
    return f"--- {old or f'a/{path}'}\n+++ b/{path}\n@@ -1,3 +1,3 @@\n{body}"


def new_file(path: str, *lines: str) -> str:
    return patch_of(path, *(f"+{line}" for line in lines), old="/dev/null").replace(
        "-1,3 +1,3", f"-0,0 +1,{len(lines)}"
    )


def everything(folder: Path) -> dict[str, str]:
    return {
        place.relative_to(folder).as_posix(): place.read_text()
        for place in sorted(folder.rglob("*"))
        if place.is_file()
    }


def type_in(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True)


def apply(folder: Path, changes: tuple[Change, ...], name: str = "it") -> str:
    return patches.apply(folder, changes, keep_as=name)


def test_patch_is_shown_as_what_it_does_and_does_nothing_yet(folder: Path) -> None:
    (change,) = changes_of(folder, patch_of("a.txt"))

    assert (change.path, change.kind) == ("a.txt", "changed")
    assert change.diff == "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n"
    assert everything(folder) == {"a.txt": BEFORE}


def test_applied_patch_does_what_was_shown_and_its_command_takes_it_back(folder: Path) -> None:
    (folder / "a.txt").chmod(0o755)
    changes = changes_of(folder, patch_of("a.txt") + new_file("sub/with space.txt", "new", "lines"))

    undo = apply(folder, changes)

    assert (folder / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o755
    assert (folder / "sub/with space.txt").read_text() == "new\nlines\n"
    assert (folder / ".triage/it.patch").read_text() == diff_of(changes)
    type_in(undo)
    assert {path: text for path, text in everything(folder).items() if ".triage" not in path} == {"a.txt": BEFORE}


def test_patch_applies_and_is_taken_back_in_the_folder_of_a_repository(tmp_path: Path) -> None:
    folder = tmp_path / "inner folder"
    folder.mkdir()
    (folder / "a.txt").write_text(BEFORE)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)

    undo = apply(folder, changes_of(folder, patch_of("a.txt")))

    assert (folder / "a.txt").read_text() == "one\nTWO\nthree\n"
    type_in(undo)
    assert (folder / "a.txt").read_text() == BEFORE
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert ".triage" not in subprocess.run(status, check=True, capture_output=True, text=True).stdout


def test_wrong_counts_a_lost_newline_and_words_around_do_no_harm(folder: Path) -> None:
    (folder / "b.txt").write_text(BEFORE)
    sloppy = "Here it is:\n" + patch_of("a.txt") + patch_of("b.txt")

    first, second = changes_of(folder, sloppy.replace("-1,3 +1,3", "-1,9 +1,7").removesuffix("\n"))

    assert "-two\n+TWO\n" in first.diff
    assert "-two\n+TWO\n" in second.diff


def test_words_behind_a_patch_are_not_read_as_lines_of_it(folder: Path) -> None:
    (change,) = changes_of(folder, patch_of("a.txt") + "- that was all\n")

    assert "-two\n+TWO\n" in change.diff


def test_lines_end_as_they_did(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"one\r\ntwo\r\nthree")
    lines = (" one\r", "-two\r", "+TWO\r", " three", "\\ No newline at end of file")

    apply(folder, changes_of(folder, patch_of("a.txt", *lines)))

    assert (folder / "a.txt").read_bytes() == b"one\r\nTWO\r\nthree"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("no patch", "No valid patches"),
        (patch_of("a.txt", " one", "-2", "+TWO", " three"), "patch does not apply"),
        (patch_of("gone.txt"), "gone.txt: No such file"),
        (patch_of("a.txt", " one", "-two", "+two", " three"), "changes nothing"),
        (patch_of("../outside.txt"), "not a path inside the folder"),
        (new_file("../new.txt", "x"), "not a path inside the folder"),
        (new_file("sub/../../new.txt", "x"), "not a path inside the folder"),
        (new_file("/etc/new.txt", "x"), "not a path inside the folder"),
        (new_file(".git/hooks/pre-commit", "x"), "begins with a dot"),
        (new_file("sub/.env", "x"), "begins with a dot"),
        (new_file(".triage/it.patch", "x"), "begins with a dot"),
        (new_file("link.txt", "x"), "link.txt in {folder} is a link"),
        (patch_of("linked/a.txt"), "linked in {folder} is a link"),
        (new_file("linked/new.txt", "x"), "linked in {folder} is a link"),
        (new_file("a.txt/new.txt", "x"), "a.txt in {folder} is no folder"),
        (patch_of("a.txt", "-one", "-two", "-three").replace("+++ b/a.txt", "+++ /dev/null"), "deletes a.txt"),
        ("diff --git a/a.txt b/b.txt\nsimilarity index 100%\nrename from a.txt\nrename to b.txt\n", "'rename from'"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n",
            "'new file mode 12'",
        ),
        ("diff --git a/e.txt b/e.txt\nnew file mode 100644\nindex 0000000..e69de29\n", "new and empty"),
        ("diff --git a/b b/b\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n", "'GIT binary patch'"),
        (new_file("nul.txt", "x\0y"), "nul.txt: binary"),
        (new_file('quo"te.txt', "x"), "characters that no file should have"),
        (new_file("sur\udcffrogate.txt", "x"), "not Unicode"),
        ("x" * (MAX_PATCH_CHARACTERS + 1), "60,000 are the limit"),
    ],
)
def test_patch_that_may_not_or_can_not_be_applied_is_refused(folder: Path, patch: str, said: str) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text(BEFORE)
    (folder.parent / "outside.txt").write_text(BEFORE)
    (folder / "linked").symlink_to(outside)
    (folder / "link.txt").symlink_to(outside / "new.txt")
    before = everything(folder.parent)

    with pytest.raises(PatchError) as refused:
        changes_of(folder, patch)

    assert said.format(folder=folder) in str(refused.value)
    assert everything(folder.parent) == before


def test_file_that_changed_since_is_named_and_nothing_is_written(folder: Path) -> None:
    (folder / "b.txt").write_text(BEFORE)
    changes = changes_of(folder, patch_of("a.txt") + patch_of("b.txt"))
    (folder / "b.txt").write_text("one\ntwo\nthree\nfour\n")
    before = everything(folder)

    with pytest.raises(PatchError, match=r"since the patch was shown b\.txt changed; nothing was applied$"):
        apply(folder, changes)

    assert everything(folder) == before


def test_link_that_was_put_there_since_is_not_followed(folder: Path, tmp_path: Path) -> None:
    changes = changes_of(folder, patch_of("a.txt"))
    (folder / "a.txt").unlink()
    (tmp_path / "target").write_text(BEFORE)
    (folder / "a.txt").symlink_to(tmp_path / "target")

    with pytest.raises(PatchError, match="is a link"):
        apply(folder, changes)

    assert (tmp_path / "target").read_text() == BEFORE


def test_folder_of_kept_patches_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / ".triage").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PatchError, match="is a link"):
        apply(folder, changes_of(folder, patch_of("a.txt")))

    assert everything(tmp_path / "elsewhere") == {}
    assert (folder / "a.txt").read_text() == BEFORE


def test_patch_that_was_applied_is_not_applied_again(folder: Path) -> None:
    (folder / "b.txt").write_text(BEFORE)
    changes = changes_of(folder, patch_of("a.txt") + patch_of("b.txt"))
    (folder / "a.txt").write_text("one\nTWO\nthree\n")  # as a process left it that died in the middle
    written = (folder / "a.txt").stat()

    apply(folder, changes)
    apply(folder, changes)

    assert (folder / "b.txt").read_text() == "one\nTWO\nthree\n"
    assert (folder / "a.txt").stat().st_ino == written.st_ino
    assert (folder / "a.txt").stat().st_mtime_ns == written.st_mtime_ns
