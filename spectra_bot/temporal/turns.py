"""What a run hears, and when: only what its turn has, and in a replay the same at once."""

from __future__ import annotations

from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

TURN_IS_DUE = "the run's next turn is due, and until then nobody can say how it stands; ask again in a moment"
"""How a query fails that came before a turn."""
_NO_TURN = ("query_workflow", "remove_from_cache")


class TurnRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without a sandbox: no user's code runs in one, so there is nothing to keep from the clock."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow in this worker's memory."""
        return _Turns(super().create_instance(det))


class _Turns(WorkflowInstance):
    """Refuses to tell a run what has happened before the turn is there that tells it in a replay.

    While a dead worker still holds a run's next turn, a query may find another worker first. The SDK (1.35) then tells
    the run at once what has happened since its last turn, at that turn's time, each query some more, and the turn's
    Updates later; a replay tells all of it together, in another order, at the turn's time. The run would do something
    else then, and no worker could go on with it. So the query fails instead, and the worker drops the run from its
    memory: whoever asks next, or takes the turn, begins with the history.
    """

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance
        self._turn: tuple[int, int] | None = None
        """When its last turn began, in nanoseconds, and how long its history was by then."""

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if any(job.WhichOneof("variant") not in _NO_TURN for job in act.jobs):
            turn = (act.timestamp.ToNanoseconds(), act.history_length)
            if not act.is_replaying and self._turn is not None and _is_early(turn, self._turn):
                refused = WorkflowActivationCompletion()
                refused.failed.failure.message = TURN_IS_DUE
                return refused
            self._turn = turn
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

    def get_info(self) -> Info:
        return self._instance.get_info()


def _is_early(told: tuple[int, int], last: tuple[int, int]) -> bool:
    """The history has grown, and no turn has begun: each begins at a time of its own."""
    return told[0] == last[0] and told[1] > last[1]
