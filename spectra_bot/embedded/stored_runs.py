"""Runs as they are stored, read into what the machine works on."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import from_json

from spectra_bot.embedded.journal import read_shape, replay
from spectra_bot.errors import RunNotFoundError, UnreadableRunError
from spectra_bot.graph import Shape
from spectra_bot.machine import RunState
from spectra_bot.store import Store

Stored = tuple[RunState, int]
"""A run as it is stored, and how many events it has."""


class StoredRuns:
    """Reads runs from the store, and knows the graphs that they run on.

    Args:
        shapes: the graphs that are known without reading them.
    """

    def __init__(self, *, store: Store, shapes: Iterable[Shape]) -> None:
        self._store = store
        self._known_shapes = {shape.digest: shape for shape in shapes}

    async def load(self, run_id: str) -> Stored:
        """The run as it is stored, and how many events it has.

        Raises:
            RunNotFoundError: no such run.
            UnreadableRunError: a newer version stored it, or it is damaged.
        """
        rows = await self._store.events(run_id)
        if not rows:
            raise RunNotFoundError(run_id)
        try:
            digest = from_json(rows[0][2])["shape"]
        except ValueError as error:
            raise UnreadableRunError(f"the start of run {run_id}", is_damaged=True) from error
        if digest not in self._known_shapes:
            self._known_shapes[digest] = read_shape(await self._store.shape(digest))
        try:
            return replay(None, rows, self._shape)
        except UnreadableRunError:
            raise
        except Exception as error:
            raise UnreadableRunError(f"run {run_id}") from error

    async def catch_up(self, state: RunState, seq: int) -> Stored:
        """A run that was loaded, and what was appended to it since."""
        rows = await self._store.events(state.run_id, seq)
        if rows:
            state, seq = replay(state, rows, self._shape)
        return state, seq

    def _shape(self, digest: str) -> Shape:
        return self._known_shapes[digest]
