"""What is left on Temporal when the faults are over, as the judges of the killed processes read it."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from spectra_bot import StoreError, TemporalOptions, WorkflowRunner
from spectra_bot.embedded.ownership import LEASE_S
from spectra_bot.runs import RunDetails
from spectra_bot.testing import FakeSlack, Message
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.crowd import CHANNEL, Click
from tests.chaos.killing.evidence import Evidence, Place, read_journal

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
) -> tuple[Evidence, Counter[str]]:
    """Read everything, when no bot is left; and tell in how many histories each run stands."""
    client = await Client.connect(options.address)
    executions = [one async for one in client.list_workflows("WorkflowType = 'SpectraRun'")]
    is_open = {one.id for one in executions if one.status is WorkflowExecutionStatus.RUNNING}
    count = Counter(one.id for one in executions)
    told = [await _told_by_temporal(client, one) for one in executions]
    broken = [line for lines, _ in told for line in lines]
    silent = [strike for _, strikes_of_one in told for strike in strikes_of_one]
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
    return evidence, count


async def _told_by_temporal(client: Client, execution: WorkflowExecution) -> tuple[list[str], list[Strike]]:
    """The turns of a run that failed by a fault of ours, and the workers that were too silent for it, struck or not."""
    run = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    broken: list[str] = []
    silent: list[Strike] = []
    started_by: dict[int, str] = {}
    async for event in run.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            if failed.cause in BROKEN_TASKS:
                broken.append(f"{execution.id}: {failed.failure.message}")
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started_by[event.event_id] = event.activity_task_started_event_attributes.identity
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
            pid = started_by[event.activity_task_timed_out_event_attributes.started_event_id].partition("@")[0]
            until = event.event_time.ToDatetime(tzinfo=UTC).timestamp()
            silent.append(Strike(signal=signal.SIGSTOP, pid=int(pid), at=until - LEASE_S, until=until))
    return broken, silent
