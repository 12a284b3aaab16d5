"""A place beside Temporal for what is too large for it: a folder that all hosts share, or an object store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import quote

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from spectra_bot.errors import DefinitionError, PlaceError
from spectra_bot.extras import install
from spectra_bot.redact import redact

PLACE_S = 30.0
"""How long one look into the place may take."""
THREADS = 16
"""So many objects are read and written at once. Threads of their own: users' code may fill those of the event loop."""
_LONGEST_NAME = 150
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What leads to an object, and tells whether it is still the same."""

    object: str
    """Its path in the place: namespace, run and digest."""
    sha256: str
    size: int


class Place:
    """Keeps objects that never change; use it as `async with await Place.open(url):`.

    Each lies under its namespace and run, named by its digest, so that writing it again changes nothing.
    """

    def __init__(self, files: AbstractFileSystem, root: str, url: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._url = url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="spectra-place")

    @classmethod
    async def open(cls, url: str) -> Self:
        """The place at an fsspec URL; nothing is read or written yet.

        Raises:
            DefinitionError: fsspec does not know this kind of place, or lacks the package for it; says which.
            PlaceError: it can't be opened.
        """
        shown = redact(url)
        try:
            files, root = await asyncio.to_thread(fsspec.url_to_fs, url)
        except ImportError as error:
            protocol = url.partition(":")[0]
            raise DefinitionError(f"payloads at {shown} need a package: {_install(protocol)} ({error})") from error
        except ValueError as error:
            raise DefinitionError(f"payloads can't be put at {shown}: {redact(str(error))}") from error
        except Exception as error:  # noqa: BLE001  each kind of place has errors of its own
            raise PlaceError(f"payloads at {shown} can't be used: {redact(_in_words(error))}") from _clean(error)
        return cls(files, root, shown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def put(self, namespace: str, run_id: str, content: bytes) -> Reference:
        """Keep some content; it is there when this returns.

        Raises:
            PlaceError: it could not be written.
        """
        return await self._do("written to", lambda: self._put(namespace, run_id, content))

    async def get(self, reference: Reference) -> bytes:
        """The content that led to this reference.

        Raises:
            PlaceError: it could not be read, or is missing or altered.
        """
        content = await self._do("read", lambda: self._read(reference))
        if content is None:
            raise PlaceError(
                f"{reference.object} is missing in {self._url}; bring it back, and what waits for it goes on"
            )
        found = await self._do("read", lambda: hashlib.sha256(content).hexdigest())
        if found != reference.sha256:
            raise PlaceError(
                f"{reference.object} in {self._url} was altered: {reference.size:,} bytes were put there, and these "
                f"{len(content):,} bytes are not the same; bring it back, and what waits for it goes on"
            )
        return content

    async def check(self) -> str:
        """Write, read and delete an object, and say that it went well.

        Raises:
            PlaceError: it did not; says what failed.
        """
        reference = await self.put("doctor", secrets.token_hex(8), secrets.token_bytes(64))
        await self.get(reference)
        await self._do("deleted from", lambda: self._delete(reference))
        if isinstance(self._files, LocalFileSystem) and os.stat(self._root).st_mode & 0o007:
            raise PlaceError(f"{self._url} is open to others, and it holds secrets: chmod o-rwx {self._root}")
        return f"{self._url} takes, gives back and deletes"

    async def _do(self, what: str, work: Callable[[], _Found]) -> _Found:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PLACE_S):
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError as error:
            why = f"it took longer than {PLACE_S:g} s"
            raise PlaceError(f"payloads at {self._url} can't be {what}: {why}") from error
        except Exception as error:  # noqa: BLE001  each kind of place has errors of its own
            raise PlaceError(f"payloads at {self._url} can't be {what}: {redact(_in_words(error))}") from _clean(error)

    # In a thread.

    def _put(self, namespace: str, run_id: str, content: bytes) -> Reference:
        sha256 = hashlib.sha256(content).hexdigest()
        names = (_name(namespace), _name(run_id), sha256)
        reference = Reference(object="/".join(names), sha256=sha256, size=len(content))
        path = self._path(reference)
        if self._size(path) != len(content):
            try:
                self._write(path, content)
            except FileNotFoundError:
                self._make_folders(names[:-1])
                self._write(path, content)
        return reference

    def _size(self, path: str) -> int | None:
        self._files.invalidate_cache(path.rpartition("/")[0])
        try:
            size: int | None = self._files.info(path)["size"]
        except FileNotFoundError:
            return None
        return size

    def _write(self, path: str, content: bytes) -> None:
        """Write an object so that nobody ever sees a part of it. An object store shows it when it is whole."""
        if type(self._files).mv is AbstractFileSystem.mv:  # it can't rename, it would only copy
            self._files.pipe_file(path, content)
            return
        part = f"{path}.{secrets.token_hex(4)}.part"
        try:
            with self._files.open(part, "wb") as file:
                file.write(content)
                if isinstance(self._files, LocalFileSystem):
                    file.flush()
                    os.fsync(file.fileno())
            self._files.mv(part, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._files.rm_file(part)
            raise
        if isinstance(self._files, LocalFileSystem):
            _sync(path.rpartition("/")[0])

    def _make_folders(self, names: tuple[str, ...]) -> None:
        """Make the folders of a run, but never the place itself: a share that is not mounted is no place."""
        above = self._root
        for name in names:
            with contextlib.suppress(FileExistsError):
                self._files.mkdir(f"{above}/{name}", create_parents=False)
                if isinstance(self._files, LocalFileSystem):
                    _sync(above)
            above = f"{above}/{name}"

    def _read(self, reference: Reference) -> bytes | None:
        path = self._path(reference)
        try:
            content: bytes = self._files.cat_file(path)
        except FileNotFoundError:
            if isinstance(self._files, LocalFileSystem) and not self._files.isdir(self._root):
                raise
            return None
        return content

    def _delete(self, reference: Reference) -> None:
        path = self._path(reference)
        self._files.rm_file(path)
        folder = path.rpartition("/")[0]
        for empty in (folder, folder.rpartition("/")[0]):
            with contextlib.suppress(Exception):  # an object store has no folders
                self._files.rmdir(empty)

    def _path(self, reference: Reference) -> str:
        names = reference.object.split("/")
        if len(names) != 3 or names[-1] != reference.sha256 or not all(_is_name(name) for name in names):
            raise ValueError(f"{reference.object!r} leads to no object of ours")
        return f"{self._root}/{reference.object}"


def _name(word: str) -> str:
    """The name of a folder for anything that has a name."""
    name = quote(word, safe="") or "%"
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 65]}~{hashlib.sha256(word.encode()).hexdigest()}"
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _is_name(name: str) -> bool:
    return bool(name) and not name.startswith(".") and "\\" not in name


def _sync(folder: str) -> None:
    """Have a folder on disk with the names in it, whatever becomes of the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _install(protocol: str) -> str:
    package = known_implementations[protocol]["class"].partition(".")[0]
    return install(package if package != "fsspec" else f"fsspec[{protocol}]")


def _clean(error: Exception) -> Exception | None:
    """The error as a cause, which logs and Temporal show as it is: none that tells a password of the URL."""
    return error if redact(str(error)) == str(error) else None


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
