"""The order in which a run hears, in one turn, of what has happened."""

from __future__ import annotations

from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

_ENDINGS = ("complete_workflow_execution", "fail_workflow_execution", "continue_as_new_workflow_execution")


class TurnRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without a sandbox: no user's code runs in one, so there is nothing to keep from the clock."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow in this worker's memory."""
        return _Turns(super().create_instance(det))


class _Turns(WorkflowInstance):
    """Tells a run first what has happened, and then what people want of it.

    When a query finds a worker before a run's next turn does, as after the death of another worker, the SDK (1.35)
    tells the run at once what has happened since its last turn, and the Updates of the turn later. In a replay it has
    all of them at the same time, and would tell the Updates first: the run would do something else, and no worker could
    go on with it.
    """

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        updates = [job for job in act.jobs if job.HasField("do_update")]
        others = [job for job in act.jobs if not job.HasField("do_update")]
        if not updates or not others:
            return self._instance.activate(act)
        done = self._instance.activate(_with(act, others))
        if done.HasField("failed") or any(c.WhichOneof("variant") in _ENDINGS for c in done.successful.commands):
            return done  # it takes no Update any more: whoever gave it is told how the run ended
        then = self._instance.activate(_with(act, updates))
        if not then.HasField("failed"):
            commands = list(then.successful.commands)
            del then.successful.commands[:]
            then.successful.commands.extend([*done.successful.commands, *commands])
        return then

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

    def get_info(self) -> Info:
        return self._instance.get_info()


def _with(act: WorkflowActivation, jobs: list[Any]) -> WorkflowActivation:
    part = WorkflowActivation()
    part.CopyFrom(act)
    del part.jobs[:]
    part.jobs.extend(jobs)
    return part
