"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from spectra_bot.loading import Loaded, load_workflows
from spectra_bot.settings import Settings

_R = TypeVar("_R")


@dataclass(slots=True, kw_only=True)
class _Given:
    db: Path | None = None
    workflows: tuple[str, ...] = ()
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a command was called with, settings included."""

    settings: Settings
    as_json: bool
    db: Path | None = field(default=None)
    """The database that was named on the command line, where one was."""
    workflows: tuple[str, ...] = ()
    """The places of workflows that were named on the command line."""
    bad_settings: tuple[str, ...] = ()
    """What can't be used of the settings, for a command that takes defaults instead."""

    def load(self) -> Loaded:
        """The workflows that the call or the settings name.

        Raises:
            DefinitionError: a place can't be loaded.
        """
        return load_workflows(self.settings.workflows)


def shared_options(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command --db, --workflows and --json."""

    @click.option(
        "--db", type=click.Path(dir_okay=False, path_type=Path), help="The database file. [SPECTRA_DB, spectra.db]"
    )
    @click.option(
        "--workflows",
        "-w",
        multiple=True,
        metavar="MODULE_OR_FILE",
        help="Where workflows are; may be given several times. [SPECTRA_WORKFLOWS]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print records as JSON on standard output.")
    @functools.wraps(function)
    def collect(*args: Any, db: Path | None, workflows: tuple[str, ...], as_json: bool, **kwargs: Any) -> _R:
        given = click.get_current_context().ensure_object(_Given)
        given.db = db or given.db
        given.workflows += workflows
        given.as_json = as_json or given.as_json
        return function(*args, **kwargs)

    return collect


def with_call(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the shared options, and hand it its `Call` as the first argument.

    Raises:
        SettingsError: a setting can't be used.
    """
    return _with_call(function, lambda **given: (Settings.load(**given), []))


def with_call_as_it_is(function: Callable[..., _R]) -> Callable[..., _R]:
    """The same for a command that tells of settings which can't be used, and goes on with the others."""
    return _with_call(function, Settings.load_what_fits)


def _with_call(function: Callable[..., _R], load: Callable[..., tuple[Settings, list[str]]]) -> Callable[..., _R]:
    @shared_options
    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> _R:
        given = click.get_current_context().ensure_object(_Given)
        overrides: dict[str, Any] = {}
        if given.db is not None:
            overrides["db"] = given.db
        if given.workflows:
            overrides["workflows"] = given.workflows
        settings, bad = load(**overrides)
        call = Call(
            settings=settings,
            as_json=given.as_json,
            db=given.db,
            workflows=given.workflows,
            bad_settings=tuple(bad),
        )
        return function(call, *args, **kwargs)

    return command
