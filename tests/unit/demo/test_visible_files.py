from __future__ import annotations

from pathlib import Path

import pytest

from spectra_bot.demo.plain_files import NoPlainFileError
from spectra_bot.demo.visible_files import MAX_LINES, MAX_LISTED, listed, text_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    for path, text in {
        "a.py": "a",
        "sub/b.py": "b",
        "sub/.hidden": "h",
        ".env": "TOKEN=1",
        ".git/config": "g",
        "__pycache__/a.pyc": "c",
        "venv/pyvenv.cfg": "v",
        "venv/lib/x.py": "x",
        "../outside.txt": "o",
    }.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    (place / "link.txt").symlink_to(tmp_path / "outside.txt")
    (place / "linked").symlink_to(tmp_path)
    (place / "bytes").write_bytes(b"\xff\xfe")
    return place


def test_files_are_listed_without_what_is_hidden_linked_or_installed(folder: Path) -> None:
    assert listed(folder) == ["a.py", "bytes", "sub/b.py"]


def test_list_says_where_it_ends(folder: Path) -> None:
    for number in range(MAX_LISTED):
        (folder / f"{number}.txt").touch()

    assert listed(folder)[-1] == "... there are more than 500 files"


@pytest.mark.parametrize(("path", "text"), [("a.py", "a"), ("./sub//b.py", "b"), ("sub/b.py", "b")])
def test_file_inside_is_read(folder: Path, path: str, text: str) -> None:
    assert text_of(folder, path) == text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.txt", "not a path inside"),
        ("sub/../../outside.txt", "not a path inside"),
        ("sub/../a.py", "not a path inside"),
        ("/etc/passwd", "not a path inside"),
        ("", "not a path inside"),
        (".", "not a path inside"),
        (".env", "begins with a dot"),
        (".git/config", "begins with a dot"),
        ("sub/.hidden", "begins with a dot"),
        ("link.txt", "is a link"),
        ("linked/outside.txt", "is a link"),
        ("sub", "no plain file"),
        ("gone.py", "there is no such file"),
        ("bytes", "is no text"),
        ("a\0.py", "characters that no file"),
        ("a\udcff.py", "characters that no file"),
    ],
)
def test_path_that_leads_elsewhere_is_refused(folder: Path, path: str, said: str) -> None:
    with pytest.raises(NoPlainFileError, match=said):
        text_of(folder, path)


def test_long_file_is_read_in_pieces(folder: Path) -> None:
    (folder / "long.txt").write_text("".join(f"{number}\n" for number in range(1, MAX_LINES + 11)))

    first, second = text_of(folder, "long.txt"), text_of(folder, "long.txt", MAX_LINES + 1)

    assert first.splitlines()[MAX_LINES - 1 :] == [
        f"{MAX_LINES}", "[The file goes on: 510 lines. Read on with first_line.]"
    ]  # fmt: skip
    assert second.splitlines() == [str(number) for number in range(MAX_LINES + 1, MAX_LINES + 11)]
