"""The order in which a run hears, in one turn, of what has happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

_PREPARE = ("notify_has_patch", "update_random_seed")
_ALONE = ("query_workflow", "remove_from_cache")
_ENDINGS = ("complete_workflow_execution", "fail_workflow_execution", "continue_as_new_workflow_execution")


class TurnRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without a sandbox: no user's code runs in one, so there is nothing to keep from the clock."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow in this worker's memory."""
        return _Turns(super().create_instance(det))


class _Turns(WorkflowInstance):
    """Tells a run first what has happened, one thing after the other, and then what people want of it.

    When a query finds a worker before a run's next turn does, as after the death of another worker, the SDK (1.35)
    tells the run at once what has happened since its last turn, each query some more, and the Updates of the turn
    later. In a replay it has all of them at the same time, and would tell the Updates first, and the rest at once: the
    run would do something else, and no worker could go on with it. It tells signals before the ends of activities then,
    which is left as it is: mostly a run does the same in either order.
    """

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance
        self._has_ended = False

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if self._has_ended and not any(job.WhichOneof("variant") in _ALONE for job in act.jobs):
            done = WorkflowActivationCompletion()
            done.successful.SetInParent()
            return done  # it takes nothing any more: whoever gave it an Update is told so, and may give it again
        turns = list(_one_by_one(act))
        done = self._instance.activate(turns[0])
        for turn in turns[1:]:
            if done.HasField("failed") or _ends(done):
                break
            then = self._instance.activate(turn)
            if then.HasField("failed"):
                return then
            done.successful.commands.extend(then.successful.commands)
            done.successful.used_internal_flags.extend(then.successful.used_internal_flags)
        self._has_ended = self._has_ended or _ends(done)
        return done

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

    def get_info(self) -> Info:
        return self._instance.get_info()


def _ends(done: WorkflowActivationCompletion) -> bool:
    return any(command.WhichOneof("variant") in _ENDINGS for command in done.successful.commands)


def _one_by_one(act: WorkflowActivation) -> Iterator[WorkflowActivation]:
    """What has happened, each by itself, and then what people want. What only prepares stands with what follows it."""
    events = [job for job in act.jobs if not job.HasField("do_update")]
    updates = [job for job in act.jobs if job.HasField("do_update")]
    if any(job.WhichOneof("variant") in _ALONE for job in act.jobs) or not act.jobs:
        yield act
        return
    prepared: list[WorkflowActivationJob] = []
    for job in [*events, *updates]:
        prepared.append(job)
        if job.WhichOneof("variant") not in _PREPARE:
            yield _with(act, prepared)
            prepared = []
    if prepared:
        yield _with(act, prepared)


def _with(act: WorkflowActivation, jobs: list[WorkflowActivationJob]) -> WorkflowActivation:
    part = WorkflowActivation()
    part.CopyFrom(act)
    del part.jobs[:]
    part.jobs.extend(jobs)
    return part
