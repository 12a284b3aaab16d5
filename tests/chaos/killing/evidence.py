"""What is left when the killing is over: the database, the journal, Slack, and who was struck when."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectra_bot import InterruptRecord, WorkflowRunner
from spectra_bot.testing import Ephemeral, FakeSlack, Message
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.crowd import CHANNEL, Click

Place = tuple[str, str, int, str]
"""Run, step, visit and key of an effect."""


@dataclass(slots=True, kw_only=True)
class Execution:
    """One time that an effect was begun; `done_at` is None where its process died within it."""

    place: Place
    token: str
    pid: int
    begun_at: float
    done_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the judges look at."""

    integrity: str
    runs: Mapping[str, tuple[str, bool, str]]
    """Status, whether it is open, and error, by run id."""
    interrupts: Mapping[str, InterruptRecord]
    decisions: Counter[str]
    """How many decisions are stored of each interrupt, expiries included."""
    stored: Mapping[Place, Sequence[str]]
    """The tokens in the database, of the executions whose results are stored."""
    executions: Sequence[Execution]
    kept: Sequence[tuple[Place, str, float]]
    """What the steps went on with, and when."""
    outside_once: Sequence[Execution]
    """Effects that are no promise of `once`: they run again with their step."""
    messages: Sequence[Message]
    told: Sequence[Ephemeral]
    clicks: Sequence[Click]
    started: Sequence[str]
    strikes: Sequence[Strike]
    errors: Sequence[str]
    """Lines of level ERROR in the bots' logs."""
    stored_within_s: float = 3.0
    """A process that lived for longer after an effect, or a post, should have stored it."""


async def collect(
    database: Path,
    journal: Path,
    *,
    slack: FakeSlack,
    clicks: Sequence[Click],
    started: Sequence[str],
    strikes: Sequence[Strike],
    logs: Sequence[Path],
) -> Evidence:
    """Read everything, when no process is left."""
    connection = sqlite3.connect(database)
    [(integrity,)] = connection.execute("pragma integrity_check").fetchall()
    runs = {
        row[0]: (row[1], bool(row[2]), row[3] or "")
        for row in connection.execute("select run_id, status, is_open, error from runs")
    }
    decisions: Counter[str] = Counter()
    stored: dict[Place, list[str]] = defaultdict(list)
    for run_id, kind, text in connection.execute(
        "select run_id, kind, body from events where kind in ('InterruptAnswered', 'InterruptExpired', 'OnceStored')"
    ):
        body: dict[str, Any] = json.loads(text)
        if kind == "OnceStored":
            stored[run_id, body["step"], body["visit"], body["key"]].append(body["value"])
        else:
            decisions[body["interrupt_id"]] += 1
    connection.close()
    async with WorkflowRunner(database=str(database), read_only=True) as runner:
        details = [await runner.get(run_id) for run_id in runs]
    executions, kept, outside_once = read_journal(journal)
    return Evidence(
        integrity=integrity,
        runs=runs,
        interrupts={record.request.id: record for run in details for record in run.interrupts},
        decisions=decisions,
        stored=stored,
        executions=executions,
        kept=kept,
        messages=[message for message in slack.messages(CHANNEL) if message.metadata],
        outside_once=outside_once,
        told=list(slack.workspace.ephemerals),
        clicks=clicks,
        started=started,
        strikes=strikes,
        errors=[line for log in logs for line in log.read_text().splitlines() if " ERROR " in line],
    )


def read_journal(journal: Path) -> tuple[list[Execution], list[tuple[Place, str, float]], list[Execution]]:
    """The executions of effects, what steps went on with, and the effects outside `once`."""
    executions: dict[str, Execution] = {}
    kept, outside_once = [], []
    for text in journal.read_text().splitlines():
        line: dict[str, Any] = json.loads(text)
        run_id, step, visit, key = line["place"]
        place = (run_id, step, visit, key)
        token = line["token"]
        match line["word"]:
            case "begun":
                executions[token] = Execution(place=place, token=token, pid=line["pid"], begun_at=line["at"])
            case "done":
                executions[token].done_at = line["at"]
            case "told":
                at = line["at"]
                outside_once.append(Execution(place=place, token=token, pid=line["pid"], begun_at=at, done_at=at))
            case _:
                kept.append((place, token, line["at"]))
    return list(executions.values()), kept, outside_once
