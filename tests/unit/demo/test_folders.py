from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from spectra_bot.demo import folders
from spectra_bot.demo.changes import Change
from spectra_bot.demo.folders import MANIFEST, ReleaseError


class Pair:
    """A source and a target folder."""

    def __init__(self, place: Path) -> None:
        self.source, self.target = place / "source", place / "target"
        self.source.mkdir()
        self.target.mkdir()

    def put(self, path: str, content: bytes | str) -> Path:
        place = self.source.parent / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def changes(self) -> list[Change]:
        return list(folders.compare(self.source, self.target).changes)

    def apply(self, changes: list[Change]) -> None:
        for path, content in folders.check(self.source, self.target, changes).items():
            folders.write(self.source, self.target, path, content)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_new_and_changed_files_are_found_in_order(pair: Pair) -> None:
    pair.put("source/b/new.txt", "n")
    pair.put("source/a.txt", "2")
    pair.put("target/a.txt", "1")
    pair.put("source/same.txt", "s")
    pair.put("target/same.txt", "s")
    pair.put("target/only-here.txt", "o")

    found = folders.compare(pair.source, pair.target)

    assert [(change.path, change.kind) for change in found.changes] == [("a.txt", "changed"), ("b/new.txt", "new")]
    assert found.same == 1


def test_manifest_is_never_compared(pair: Pair) -> None:
    pair.put(f"source/{MANIFEST}", "{}")
    pair.put(f"target/{MANIFEST}", "old")

    assert not pair.changes()


def test_links_are_named_and_not_followed(pair: Pair, tmp_path: Path) -> None:
    secret = pair.put("secret.txt", "outside")
    (pair.source / "link.txt").symlink_to(secret)
    (pair.source / "folder").symlink_to(tmp_path)
    pair.put("source/in/a.txt", "a")
    (pair.target / "in").symlink_to(tmp_path)

    found = folders.compare(pair.source, pair.target)

    assert not found.changes
    assert found.skipped == (
        "folder is a link",
        f"link.txt in {pair.source} is a link",
        f"in in {pair.target} is a link",
    )
    assert not (tmp_path / "a.txt").exists()


def test_what_is_no_plain_file_is_named(pair: Pair) -> None:
    os.mkfifo(pair.source / "pipe")
    pair.put("source/a.txt", "a")
    (pair.target / "a.txt").mkdir()
    pair.put("source/dir/b.txt", "b")
    pair.put("target/dir", "a file")

    found = folders.compare(pair.source, pair.target)

    assert not found.changes
    assert len(found.skipped) == 3


def test_name_that_is_no_text_is_left_alone(pair: Pair) -> None:
    (pair.source / os.fsdecode(b"\xff.txt")).write_text("x")

    found = folders.compare(pair.source, pair.target)

    assert not found.changes
    assert "not UTF-8" in found.skipped[0]
    found.model_dump_json()


@pytest.mark.parametrize(("source", "target"), [("source", "gone"), ("gone", "target"), ("source", "source")])
def test_folders_that_cannot_be_compared_are_refused(pair: Pair, tmp_path: Path, source: str, target: str) -> None:
    with pytest.raises(ReleaseError):
        folders.compare(tmp_path / source, tmp_path / target)


def test_folder_inside_the_other_is_refused(pair: Pair) -> None:
    (pair.target / "inner").mkdir()

    with pytest.raises(ReleaseError, match="two separate folders"):
        folders.compare(pair.target / "inner", pair.target)


def test_approved_files_are_written_and_nothing_is_deleted(pair: Pair) -> None:
    pair.put("source/deep/new.txt", "n")
    pair.put("target/stays.txt", "s")

    pair.apply(pair.changes())

    assert (pair.target / "deep/new.txt").read_text() == "n"
    assert (pair.target / "stays.txt").read_text() == "s"
    assert sorted(path.name for path in pair.target.rglob("*")) == ["deep", "new.txt", "stays.txt"]


def test_modes_are_kept(pair: Pair) -> None:
    pair.put("source/new.sh", "n").chmod(0o750)
    pair.put("source/old.sh", "2").chmod(0o777)
    pair.put("target/old.sh", "1").chmod(0o640)

    pair.apply(pair.changes())

    assert stat.S_IMODE((pair.target / "new.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE((pair.target / "old.sh").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("source/a.txt", "later", "a.txt in the source changed"),
        ("target/a.txt", "later", "a.txt in the target changed"),
        ("source/a.txt", None, "a.txt in the source is gone"),
        ("target/a.txt", None, "a.txt in the target is gone"),
        ("target/new.txt", "later", "new.txt in the target changed"),
    ],
)
def test_file_that_changed_since_it_was_shown_stops_everything(
    pair: Pair, path: str, content: str | None, said: str
) -> None:
    pair.put("source/a.txt", "2")
    pair.put("target/a.txt", "1")
    pair.put("source/new.txt", "n")
    shown = pair.changes()
    if content is None:
        (pair.source.parent / path).unlink()
    else:
        pair.put(path, content)
    before = dict(folders.contents(pair.target))

    with pytest.raises(ReleaseError, match=said) as caught:
        pair.apply(shown)

    assert "nothing was written" in str(caught.value)
    assert dict(folders.contents(pair.target)) == before


def test_link_that_took_the_place_of_a_file_stops_everything(pair: Pair, tmp_path: Path) -> None:
    pair.put("source/in/a.txt", "2")
    pair.put("target/in/a.txt", "1")
    outside = pair.put("outside/a.txt", "1")
    shown = pair.changes()
    (pair.target / "in").rename(tmp_path / "moved")
    (pair.target / "in").symlink_to(outside.parent)

    with pytest.raises(ReleaseError, match="is a link"):
        pair.apply(shown)

    assert outside.read_text() == "1"


def test_file_that_holds_the_approved_content_already_is_fine(pair: Pair) -> None:
    pair.put("source/a.txt", "a")
    pair.put("source/b.txt", "b")
    shown = pair.changes()
    pair.put("target/a.txt", "a")

    assert list(folders.check(pair.source, pair.target, shown)) == ["b.txt"]


def test_stop_after_a_crash_says_what_is_written_already(pair: Pair) -> None:
    pair.put("source/a.txt", "a")
    pair.put("source/b.txt", "b")
    shown = pair.changes()
    pair.put("target/a.txt", "a")
    pair.put("target/b.txt", "someone else")

    with pytest.raises(ReleaseError, match="1 of 2 files hold the approved content already"):
        folders.check(pair.source, pair.target, shown)


def test_file_that_cannot_be_written_leaves_no_piece_behind(pair: Pair) -> None:
    (pair.target / "a.txt").mkdir()

    with pytest.raises(ReleaseError, match=r"a\.txt can't be written"):
        folders.write(pair.source, pair.target, "a.txt", b"x")

    assert [path.name for path in pair.target.iterdir()] == ["a.txt"]


def test_manifest_takes_the_place_of_an_earlier_one(pair: Pair) -> None:
    elsewhere = pair.put("elsewhere.json", "untouched")
    (pair.target / MANIFEST).symlink_to(elsewhere)

    folders.write_manifest(pair.target, {"run_id": "r-1"})

    assert json.loads((pair.target / MANIFEST).read_text()) == {"run_id": "r-1"}
    assert elsewhere.read_text() == "untouched"
