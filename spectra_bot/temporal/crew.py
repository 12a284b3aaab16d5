"""Who takes work from a task queue, and what to do where nobody does."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from spectra_bot.clock import Clock
from spectra_bot.temporal.options import TemporalOptions

logger = logging.getLogger(__name__)

RECENT = timedelta(minutes=2)
"""Who last asked for work so long ago is gone: a worker asks once a minute, and clocks may differ."""
LOOK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Version:
    """What a worker runs, as Temporal knows it."""

    deployment: str
    build_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The workers of a task queue; those without a version are None."""

    present: Collection[Version | None]
    """What those run who asked for work lately."""
    chosen: Collection[Version | None]
    """What gets the work: the version that is current, and one that is given a part."""

    def why_idle(self, options: TemporalOptions) -> str | None:
        """Why nobody takes work, and what to do; None where somebody does."""
        queue = options.task_queue
        current, *_ = self.chosen
        if set(self.present) & set(self.chosen):
            return None
        if not self.present:
            having = f" with SPECTRA_TEMPORAL_BUILD_ID={current.build_id}" if current else ""
            return f"no worker takes work from task queue {queue}: start `spectra-bot worker`{having}"
        waiting = next(iter(self.present))
        return (
            f"no worker takes work from task queue {queue}: it is for {_workers(current)}, and there are only "
            f"{' and '.join(sorted(map(_workers, self.present)))}; start one, or give these the work: "
            f"{_make_current(options, waiting, current)}"
        )

    def why_left_out(self, options: TemporalOptions) -> str | None:
        """Why a worker that is set up like this gets no work, and what to do; None where it does."""
        ours = version_of(options)
        current, *_ = self.chosen
        if ours in self.chosen:
            return None
        return (
            f"the work of task queue {options.task_queue} is for {_workers(current)}, so {_workers(ours)} get none "
            f"yet; give it to them: {_make_current(options, ours, current)}"
        )


def version_of(options: TemporalOptions) -> Version | None:
    """What our workers run, where it has a version."""
    return None if options.build_id is None else Version(options.deployment, options.build_id)


async def look_at(client: Client, options: TemporalOptions, clock: Clock) -> Crew | None:
    """The workers of our task queue; None where Temporal does not say."""
    wanted = DescribeTaskQueueRequest(
        namespace=options.namespace,
        task_queue=TaskQueue(name=options.task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        said = await client.workflow_service.describe_task_queue(wanted, timeout=LOOK)
    except RPCError:  # it may not be allowed to us, or not known there; runs go on without it
        logger.info("task queue could not be looked at", extra={"task_queue": options.task_queue}, exc_info=True)
        return None
    chosen = [_version(said.versioning_info.current_deployment_version)]
    if said.versioning_info.ramping_version_percentage > 0:
        chosen.append(_version(said.versioning_info.ramping_deployment_version))
    oldest = clock.now() - RECENT
    return Crew(present={_run_by(one) for one in said.pollers if _asked_at(one) > oldest}, chosen=chosen)


def _version(said: WorkerDeploymentVersion) -> Version | None:
    return Version(said.deployment_name, said.build_id) if said.build_id else None


def _run_by(poller: PollerInfo) -> Version | None:
    told = poller.deployment_options
    is_versioned = told.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    return Version(told.deployment_name, told.build_id) if is_versioned else None


def _asked_at(poller: PollerInfo) -> datetime:
    moment: datetime = poller.last_access_time.ToDatetime(tzinfo=UTC)
    return moment


def _workers(version: Version | None) -> str:
    return f"workers of build {version.build_id} of {version.deployment}" if version else "workers without a build id"


def _make_current(options: TemporalOptions, version: Version | None, instead_of: Version | None) -> str:
    """The command that gives a version the work."""
    deployment = version or instead_of
    assert deployment is not None, "one of two that differ is a version"  # noqa: S101
    which = ["--build-id", version.build_id] if version else ["--unversioned"]
    place = ["--address", options.address, "--namespace", options.namespace]
    words = ["temporal", "worker", "deployment", "set-current-version", *place]
    return shlex.join([*words, "--deployment-name", deployment.deployment, *which])
