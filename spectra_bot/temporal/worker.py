"""The part of a process that works: it takes steps, deliveries and the runs' own turns from Temporal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from spectra_bot.clock import Clock
from spectra_bot.interrupts import DeliversGroups, IInterruptHandler, handler_name
from spectra_bot.runs import RunUpdate
from spectra_bot.temporal.beats import Contact, beat_s
from spectra_bot.temporal.calls import RunCalls
from spectra_bot.temporal.eagerness import LeavesToOthers
from spectra_bot.temporal.handler_activities import Answer, HandlerActivities, Look
from spectra_bot.temporal.options import TemporalOptions
from spectra_bot.temporal.own_turns import OwnTurns
from spectra_bot.temporal.reconciling import OpenQuestions, ReconcilerActivity, SpectraReconciler, ensure_reconciler
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.server_clock import servers_time
from spectra_bot.temporal.step_activities import StepActivities
from spectra_bot.temporal.storing import StoresResults
from spectra_bot.temporal.turns import TurnRunner
from spectra_bot.workflow import Workflow

MAX_ACTIVITIES = 1000
"""How many steps and handlers are at work at once; one that asks at a terminal takes a place for hours."""
STICKY = timedelta(seconds=2)
"""After so long another worker takes over what a dead one holds in its memory."""


@contextlib.asynccontextmanager
async def working(
    client: Client,
    *,
    calls: RunCalls,
    options: TemporalOptions,
    workflows: Mapping[str, Workflow],
    handlers: Sequence[IInterruptHandler],
    clock: Clock,
    lease_s: float,
    max_payload_bytes: int,
    has_place: bool,
    report: Callable[[RunUpdate], None],
    ended: Callable[[str], None],
    answer: Answer,
    look: Look,
) -> AsyncIterator[None]:
    """Work while the block lasts, and see to it that somebody looks whether questions still stand."""
    contact = Contact(client, lease_s)
    questions = OpenQuestions(client, calls, task_queue=options.task_queue)
    reconciler = ReconcilerActivity(handlers, questions=questions, clock=clock)
    named = {handler_name(handler): handler for handler in handlers}
    steps = StepActivities(
        workflows,
        client=client,
        contact=contact,
        clock=servers_time(clock),
        handlers=list(named),
        grouping=[name for name, handler in named.items() if isinstance(handler, DeliversGroups)],
        max_payload_bytes=max_payload_bytes,
        report=report,
        ended=ended,
    )
    asking = HandlerActivities(
        named,
        client=client,
        clock=servers_time(clock),
        max_payload_bytes=max_payload_bytes,
        answer=answer,
        look=look,
        ended=ended,
    )
    turns = OwnTurns(client)
    worker = Worker(
        client,
        task_queue=options.task_queue,
        workflows=[SpectraRun, SpectraReconciler],
        activities=[
            steps.step,
            steps.when,
            steps.back,
            asking.deliver,
            asking.deliver_group,
            asking.settle,
            asking.conclude,
            reconciler.reconcile,
        ],
        interceptors=[LeavesToOthers(workflows), *([StoresResults(client)] if has_place else [])],
        workflow_runner=TurnRunner(had=turns.has),
        identity=turns.identity,
        max_concurrent_activities=MAX_ACTIVITIES,
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_heartbeat_throttle_interval=timedelta(seconds=beat_s(lease_s)),
        deployment_config=_version(options),
    )
    keeping = asyncio.create_task(contact.keep(), name="spectra-contact")
    try:
        async with worker:
            if reconciler.can_look:
                await ensure_reconciler(client, task_queue=options.task_queue, lease_s=lease_s)
            yield
    finally:
        keeping.cancel()


def _version(options: TemporalOptions) -> WorkerDeploymentConfig | None:
    """The version of the worker, where it has one.

    A run moves on to the version that is current: it may wait for people for weeks, and a pinned one would need its old
    workers for as long. It can, for its graph is data, users' code runs in activities, and `SpectraRun` replays the
    histories of each version that was released.
    """
    if options.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=options.deployment, build_id=options.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
