from __future__ import annotations

import secrets
import threading
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from spectra_bot import DefinitionError, PlaceError
from spectra_bot.temporal.place import Place

CONTENT = b"x" * 1000


class SlowFileSystem(MemoryFileSystem):  # type: ignore[misc]  # it has no types
    """Takes until it is told to go on."""

    protocol = "slow"
    go_on = threading.Event()

    def info(self, path: str, **kwargs: object) -> object:
        self.go_on.wait()
        return super().info(path, **kwargs)


class TalkativeFileSystem(MemoryFileSystem):  # type: ignore[misc]  # it has no types
    """Names its URL in each error, as HTTP does."""

    protocol = "talkative"

    def info(self, path: str, **kwargs: object) -> object:
        raise FileExistsError("talkative://ada:hunter2@bucket")


@pytest.fixture(params=["file", "memory"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    url = f"file://{tmp_path}" if request.param == "file" else f"memory://bucket/{secrets.token_hex(4)}"
    async with await Place.open(url) as place:
        yield place


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Place]:
    async with await Place.open(f"file://{tmp_path}") as place:
        yield place


async def test_what_is_put_is_given_back(place: Place) -> None:
    reference = await place.put("default", "r-1", CONTENT)

    assert await place.get(reference) == CONTENT
    assert reference.object == f"default/r-1/{reference.sha256}"


async def test_same_content_of_a_run_is_put_once(folder: Place, tmp_path: Path) -> None:
    first = await folder.put("default", "r-1", CONTENT)
    written = (tmp_path / first.object).stat().st_ino
    second = await folder.put("default", "r-1", CONTENT)

    assert second == first
    assert (tmp_path / first.object).stat().st_ino == written
    assert [path.name for path in (tmp_path / "default/r-1").iterdir()] == [first.sha256]


async def test_object_that_was_written_by_half_is_written_anew(folder: Place, tmp_path: Path) -> None:
    reference = await folder.put("default", "r-1", CONTENT)
    (tmp_path / reference.object).write_bytes(CONTENT[:10])

    await folder.put("default", "r-1", CONTENT)

    assert await folder.get(reference) == CONTENT


async def test_missing_object_is_named(place: Place) -> None:
    reference = await place.put("default", "r-1", CONTENT)
    gone = replace(reference, object=reference.object.replace("r-1", "r-2"))

    with pytest.raises(PlaceError, match=f"{gone.object} is missing in (file|memory)://"):
        await place.get(gone)


async def test_altered_object_is_named(folder: Place, tmp_path: Path) -> None:
    reference = await folder.put("default", "r-1", CONTENT)
    (tmp_path / reference.object).write_bytes(CONTENT[:-1] + b"y")

    with pytest.raises(PlaceError, match="was altered: 1,000 bytes were put there"):
        await folder.get(reference)


async def test_share_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    async with await Place.open(f"file://{tmp_path}/share") as place:
        with pytest.raises(PlaceError, match="can't be written to: FileNotFoundError"):
            await place.put("default", "r-1", CONTENT)

    assert not (tmp_path / "share").exists()


async def test_object_of_a_share_that_is_not_mounted_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    async with await Place.open(f"file://{tmp_path}/share") as place:
        reference = await place.put("default", "r-1", CONTENT)
        (tmp_path / "share").rename(tmp_path / "away")

        with pytest.raises(PlaceError, match="can't be read: FileNotFoundError"):
            await place.get(reference)


@pytest.mark.parametrize("run_id", ["a/b", "..", ".", "../../x", "ä" * 200, "r" * 1000])
async def test_any_run_has_a_folder_of_its_own_in_the_place(folder: Place, tmp_path: Path, run_id: str) -> None:
    reference = await folder.put("default", run_id, CONTENT)

    [stored] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored.parent.parent == tmp_path / "default"
    assert await folder.get(reference) == CONTENT


async def test_reference_leads_to_nothing_outside(folder: Place) -> None:
    reference = await folder.put("default", "r-1", CONTENT)

    for path in ("../r-1", "default/..", "/etc", "default"):
        with pytest.raises(PlaceError, match="leads to no object of ours"):
            await folder.get(replace(reference, object=f"{path}/{reference.sha256}"))


async def test_package_that_is_missing_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(DefinitionError, match="pip install gcsfs"):
        await Place.open("gs://bucket/prefix")
    with pytest.raises(DefinitionError, match=r"pip install 'fsspec\[smb\]'"):
        await Place.open("smb://host/share")


async def test_unknown_kind_of_place_is_refused() -> None:
    with pytest.raises(DefinitionError, match="Protocol not known: nowhere"):
        await Place.open("nowhere://bucket")


async def test_password_in_the_url_is_shown_nowhere() -> None:
    with pytest.raises(PlaceError) as refused:
        await Place.open("ftp://ada:hunter2@127.0.0.1:1/folder")

    assert "ftp://" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_password_in_the_error_of_a_place_is_shown_nowhere() -> None:
    register_implementation("talkative", TalkativeFileSystem, clobber=True)

    async with await Place.open("talkative://ada:hunter2@bucket") as place:
        with pytest.raises(PlaceError) as refused:
            await place.put("default", "r-1", CONTENT)

    assert "talkative://" in str(refused.value)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


async def test_check_leaves_nothing_behind(folder: Place, tmp_path: Path) -> None:
    tmp_path.chmod(0o770)

    assert await folder.check() == f"file://{tmp_path} takes, gives back and deletes"
    assert list(tmp_path.iterdir()) == []


async def test_check_finds_a_folder_that_others_can_read(folder: Place, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    with pytest.raises(PlaceError, match=f"chmod o-rwx {tmp_path}"):
        await folder.check()


async def test_place_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spectra_bot.temporal.place.PLACE_S", 0.05)
    register_implementation("slow", SlowFileSystem, clobber=True)
    async with await Place.open("slow://bucket") as place:
        with pytest.raises(PlaceError, match=r"took longer than 0.05 s"):
            await place.put("default", "r-1", CONTENT)
        SlowFileSystem.go_on.set()
