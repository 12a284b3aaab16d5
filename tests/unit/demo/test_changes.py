from __future__ import annotations

from spectra_bot.demo.changes import MAX_DIFF_CHARACTERS, Change, change_between, diff_of, in_words, sha256


def changed(path: str, source: bytes, target: bytes | None) -> Change:
    change = change_between(path, source, target)
    assert change is not None
    return change


def test_equal_files_are_no_change() -> None:
    assert change_between("a", b"x", b"x") is None


def test_changed_text_is_shown_as_a_unified_diff() -> None:
    change = changed("a.txt", b"one\ntwo\n", b"one\n2\n")

    assert change.kind == "changed"
    assert change.diff == "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-2\n+two\n"
    assert (change.source_sha256, change.target_sha256) == (sha256(b"one\ntwo\n"), sha256(b"one\n2\n"))


def test_new_file_is_shown_against_nothing() -> None:
    change = changed("a.txt", b"one\n", None)

    assert change.kind == "new"
    assert change.diff == "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+one\n"
    assert changed("empty", b"", None).diff == "--- /dev/null\n+++ b/empty\n"


def test_missing_newline_at_the_end_is_told() -> None:
    assert changed("a", b"one", b"one\n").diff.endswith("-one\n+one\n\\ No newline at end of file\n")


def test_only_newlines_end_a_line() -> None:
    diff = changed("a", "one\u2028two\x0cthree\r\n".encode(), b"").diff

    assert "+one\u2028two\x0cthree\r\n" in diff


def test_binary_file_is_named_with_its_hash() -> None:
    for content in (b"\0\1\2", b"\xff\xfe"):
        diff = changed("logo.png", content, None).diff
        assert diff.startswith("logo.png: binary, is new: ")
        assert sha256(content) in diff


def test_large_file_is_named_with_its_hash() -> None:
    diff = changed("big.txt", b"x" * 300_000, b"y").diff

    assert diff.startswith("big.txt: larger than is diffed, differs: 300,000 bytes")


def test_diffs_past_the_limit_are_named() -> None:
    big = changed("big", b"x\n" * 60_000, None)

    shown = diff_of([big] * 5)

    assert len(shown) < MAX_DIFF_CHARACTERS + 1000
    assert "big: not shown" in shown


def test_changes_are_counted_in_words() -> None:
    new, old = changed("a", b"x", None), changed("b", b"x", b"y")

    assert in_words([new]) == "1 file (1 new)"
    assert in_words([new, old, old]) == "3 files (1 new, 2 changed)"
