"""What `doctor` looks at: each check gives one finding, and none leaves anything changed."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue

import spectra_bot
from spectra_bot import app
from spectra_bot.errors import SpectraError
from spectra_bot.loading import load_workflows
from spectra_bot.runs import RunStatus
from spectra_bot.settings import Settings
from spectra_bot.store import find_damage
from spectra_bot.suggestions import did_you_mean

DISTRIBUTION = "spectra-bot"
TRIAGE = "spectra_bot.demo.triage"
"""The workflow that asks the model of the settings."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    OFF = "off"
    """Not set up, and nothing that is set up needs it."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `doctor`."""

    subject: str
    verdict: Verdict
    said: str
    """What was found; for a problem also what to do about it."""

    def record(self) -> JsonValue:
        """The line as JSON."""
        return {"subject": self.subject, "verdict": self.verdict.value, "said": self.said}


async def findings(settings: Settings, *, bad_settings: Sequence[str] = ()) -> list[Finding]:
    """Every check, in the order a person would set things up.

    Args:
        bad_settings: what can't be used of the environment, so that `settings` has defaults instead.
    """
    found = [*_settings(bad_settings), *await _runs(settings), *_workflows(settings.workflows), _installation()]
    if settings.engine == "temporal":
        found.append(await _place(settings))
    found += await _slack(settings)
    found.append(await _queue(settings))
    found.append(_agent(settings))
    return found


def foreign_handlers(owners: Mapping[str, Sequence[str]], folder: Path | None, ours: Path) -> str | None:
    """What is wrong with the top-level package `handlers`: another distribution ships one too.

    Args:
        owners: the distributions by the top-level packages they ship.
        folder: where Python finds `handlers`.
        ours: where it stands in this installation.
    """
    others = sorted(set(owners.get("handlers", ())) - {DISTRIBUTION})
    if others:
        return (
            f"{', '.join(others)} ships a package `handlers` too; install {DISTRIBUTION} in an environment of its own"
        )
    if folder != ours:
        return f"`handlers` is found in {folder or 'no place'}, not in {ours}; take that one off PYTHONPATH"
    return None


def _settings(bad: Sequence[str]) -> Iterator[Finding]:
    for problem in bad:
        yield _problem("settings", f"{problem}; change it, or unset it for the default")
    unknown = Settings.unknown_names()
    known = [name for name, _ in Settings.table()]
    for name in unknown:
        yield _problem("settings", f"{name} is no setting{did_you_mean(name, known) or '; unset it'}")
    if not unknown and not bad:
        yield _ok("settings", "every SPECTRA_ variable is known")


async def _database(db: Path) -> Finding:
    place = db.absolute()  # noqa: ASYNC240  it asks no disk
    absent = _absent(place)
    if absent is not None:
        return absent
    try:
        damage = await asyncio.to_thread(find_damage, place)
        if damage:
            return _problem(
                "database",
                f"{place} is damaged ({'; '.join(damage)}); stop what uses it and restore it from a backup",
            )
        async with app.make_runner(place, read_only=True) as runner:
            waiting = len(await runner.list_pending(limit=1000))
    except SpectraError as error:
        return _problem("database", str(error))
    if _mode(place) & 0o077:
        return _problem("database", f"{place} can be read by others, and it holds secrets: chmod 600 {place}")
    return _ok("database", f"{place} opens and is whole; questions that wait: {waiting}")


async def _runs(settings: Settings) -> list[Finding]:
    """Where runs are, a database file or Temporal, and who carries them on there."""
    if settings.engine == "embedded":
        return [await _database(settings.db)]
    try:
        async with app.make_runner(settings.db, temporal=settings.temporal(), read_only=True) as runner:
            waiting = len(await runner.list_pending(limit=1000))
            is_open = bool(waiting or await runner.list_runs(status=RunStatus.RUNNING, limit=1))
            idle = await runner.why_idle()
            left_out = await runner.why_left_out() if settings.temporal_build_id is not None else None
    except SpectraError as error:
        return [_problem("temporal", str(error))]
    where = f"{settings.temporal_address}, namespace {settings.temporal_namespace}"
    said = f"{where} lets us in; questions that wait: {waiting}"
    return [_ok("temporal", said), _workers(settings, idle or left_out, is_needed=is_open and idle is not None)]


def _workers(settings: Settings, missing: str | None, *, is_needed: bool) -> Finding:
    """Who carries runs on; that nobody does is no problem before there are any."""
    if missing is None:
        return _ok("workers", f"somebody takes work from task queue {settings.temporal_task_queue}")
    return _problem("workers", missing) if is_needed else _off("workers", missing)


async def _place(settings: Settings) -> Finding:
    if settings.temporal_payloads is None:
        return _off("payloads", "SPECTRA_TEMPORAL_PAYLOADS is not set, so values above 256 KiB are refused")
    is_fine, said = await app.check_place(settings.temporal_payloads)
    return _ok("payloads", said) if is_fine else _problem("payloads", said)


def _absent(place: Path) -> Finding | None:
    if place.exists():
        return None
    if not place.parent.is_dir():
        return _problem("database", f"{place.parent} is no folder; make it, or name another database with --db")
    if not os.access(place.parent, os.W_OK):
        return _problem("database", f"{place.parent} can't be written to; name another database with --db")
    return _ok("database", f"{place} is not there yet; the first run makes it")


def _mode(place: Path) -> int:
    return stat.S_IMODE(place.stat().st_mode)


def _workflows(places: Sequence[str]) -> Iterator[Finding]:
    if not places:
        yield _off("workflows", "none are named; --workflows MODULE_OR_FILE or SPECTRA_WORKFLOWS loads some")
        return
    try:
        loaded = load_workflows(places).workflows
        for workflow in loaded:
            workflow.shape()
    except SpectraError as error:
        yield _problem("workflows", str(error))
        return
    yield _ok("workflows", f"loaded: {', '.join(workflow.name for workflow in loaded)}")


def _installation() -> Finding:
    spec = find_spec("handlers")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    ours = Path(spectra_bot.__file__).parent.parent / "handlers"
    wrong = foreign_handlers(importlib.metadata.packages_distributions(), folder, ours)
    return _problem("installation", wrong) if wrong else _ok("installation", "`handlers` is this product's own")


async def _slack(settings: Settings) -> list[Finding]:
    if not settings.has_slack:
        missing = "; ".join(settings.slack_problems())
        return [_off("slack", f"no setting of it is set, so questions are not asked there. {missing}")]
    problems, deaf = settings.slack_posting_problems(), settings.slack_listening_problems()
    may_be_deaf = settings.slack_app_token is None and settings.engine == "temporal"
    if problems or settings.slack_bot_token is None or (deaf and not may_be_deaf):
        return [_problem("slack", problem) for problem in [*problems, *deaf]]
    said = await app.check_slack(settings, settings.slack_bot_token)
    return [
        *(_ok("slack", text) if is_fine else _problem("slack", text) for is_fine, text in said),
        *(_off("slack", f"{problem}; `spectra-bot worker` needs neither") for problem in deaf),
        _channel(settings),
    ]


def _channel(settings: Settings) -> Finding:
    if settings.channel:
        return _ok("slack", f"a question that names no channel goes to {settings.channel}")
    return _off("slack", "SPECTRA_CHANNEL is not set, so each workflow or request names its channel")


async def _queue(settings: Settings) -> Finding:
    if settings.redis_url is None:
        return _off("queue", "SPECTRA_REDIS_URL is not set, so questions go to no queue")
    is_fine, said = await app.check_queue(settings, settings.redis_url)
    return _ok("queue", said) if is_fine else _problem("queue", said)


def _agent(settings: Settings) -> Finding:
    model = settings.agent_model
    if model is None:
        return _off("agent", "SPECTRA_AGENT_MODEL is not set, and only the demo workflow `triage` needs it")
    try:
        load_workflows((TRIAGE,))
        from spectra_bot.demo.agent_model import model_named  # the extra is there  # noqa: PLC0415

        model_named(model)
    except SpectraError as error:
        return _problem("agent", str(error))
    return _ok("agent", f"the model {model} is there; it was not asked anything")


def _ok(subject: str, said: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.OK, said=said)


def _off(subject: str, said: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.OFF, said=said)


def _problem(subject: str, said: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.PROBLEM, said=said)
