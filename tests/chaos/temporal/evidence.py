"""What is left on Temporal when the faults are over, as the judges of the killed processes read it."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.workflow import NondeterminismError

from spectra_bot import StoreError, TemporalOptions, WorkflowRunner
from spectra_bot.embedded.ownership import LEASE_S
from spectra_bot.runs import RunDetails
from spectra_bot.testing import FakeSlack, Message
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.crowd import CHANNEL, Click
from tests.chaos.killing.evidence import Evidence, Place, read_journal
from tests.replay.replaying import replay

STORED_WITHIN_S = 10.0
"""As long as a call may take: the server has the same two cores as the bots."""
BROKEN_TASKS = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
}
"""How a run's own turn fails when the fault is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The server was dead from `at` until it took calls again."""

    at: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that the judges of Temporal's faults look at."""

    evidence: Evidence
    outages: Sequence[Outage]
    executions: Counter[str]
    """In how many histories each run stands."""
    turns_again: Sequence[str]
    """Turns that failed by a fault of ours, or of the SDK, and were done again."""
    ends_told: Sequence[Sequence[Message]]
    """What was posted in each thread: how a run ended."""
    waited: Sequence[tuple[str, str]]
    """What was told to those who waited for a run to be over: its id and status."""
    may_look: bool
    """The bot may read the channel, so that it posts nothing twice at all."""


async def collect(
    options: TemporalOptions,
    journal: Path,
    *,
    slack: FakeSlack,
    clicks: Sequence[Click],
    started: Sequence[str],
    strikes: Sequence[Strike],
    logs: Sequence[Path],
) -> tuple[Evidence, Counter[str], Sequence[str]]:
    """Read everything, when no bot is left; and tell in how many histories each run stands, and what turns failed."""
    client = await Client.connect(options.address)
    executions = [one async for one in client.list_workflows("WorkflowType = 'SpectraRun'")]
    is_open = {one.id for one in executions if one.status is WorkflowExecutionStatus.RUNNING}
    count = Counter(one.id for one in executions)
    told = [await _told_by_temporal(client, one) for one in executions]
    broken = [line for one in told for line in one.broken]
    silent = [strike for one in told for strike in one.silent]
    decisions: Counter[str] = Counter()
    stored: dict[Place, list[str]] = defaultdict(list)
    details: list[RunDetails] = []
    async with WorkflowRunner(temporal=options) as runner:
        for run_id in count:
            try:
                details.append(await runner.get(run_id))
                history = await runner.history(run_id)
            except StoreError as error:
                broken.append(f"{run_id} can't be asked: {error}")
                continue
            for one in history:
                if one.event == "OnceStored":
                    place = (run_id, str(one.step), int(str(one.detail["visit"])), str(one.detail["key"]))
                    stored[place].append(str(one.detail["value"]))
                elif one.event in ("InterruptAnswered", "InterruptExpired"):
                    decisions[str(one.detail["interrupt_id"])] += 1
    effects, kept, outside_once = read_journal(journal)
    evidence = Evidence(
        integrity="; ".join(broken) or "ok",
        runs={run.run_id: (run.status.value, run.run_id in is_open, run.error or "") for run in details},
        interrupts={record.request.id: record for run in details for record in run.interrupts},
        decisions=decisions,
        stored=stored,
        executions=effects,
        kept=kept,
        outside_once=outside_once,
        messages=[message for message in slack.messages(CHANNEL) if message.metadata],
        told=list(slack.workspace.ephemerals),
        clicks=clicks,
        started=started,
        strikes=[*strikes, *silent],
        stored_within_s=STORED_WITHIN_S,
        errors=[line for log in logs for line in log.read_text().splitlines() if " ERROR " in line],
    )
    return evidence, count, [line for one in told for line in one.turns_again]


@dataclass(slots=True)
class _Told:
    """What Temporal's history of one execution of a run tells."""

    broken: list[str] = field(default_factory=list)
    """Why no worker could go on with it."""
    turns_again: list[str] = field(default_factory=list)
    """Turns that failed by a fault of ours, or of the SDK, and were done again by a worker with an empty memory."""
    silent: list[Strike] = field(default_factory=list)
    """The workers that were too silent for it, struck or not."""


async def _told_by_temporal(client: Client, execution: WorkflowExecution) -> _Told:
    history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
    told = _Told()
    started_by: dict[int, str] = {}
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            if failed.cause in BROKEN_TASKS:
                told.turns_again.append(f"{execution.id}: {failed.failure.message}")
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started_by[event.event_id] = event.activity_task_started_event_attributes.identity
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
            pid = started_by[event.activity_task_timed_out_event_attributes.started_event_id].partition("@")[0]
            until = event.event_time.ToDatetime(tzinfo=UTC).timestamp()
            told.silent.append(Strike(signal=signal.SIGSTOP, pid=int(pid), at=until - LEASE_S, until=until))
    try:
        await replay(history)
    except (NondeterminismError, RuntimeError) as error:
        told.broken.append(f"{execution.id} could not go on: {error}")
    return told
