"""What a run hears, and when: only what its turn has, and in a replay the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

TURN_IS_DUE = "the run has a turn due, and until then nobody can say how it stands; ask again in a moment"
"""How a query fails that came before a turn."""
ASK_AGAIN_S = 0.25
"""The pause before a query is made again; a dead worker may hold a turn for 10 s."""
_ON_ITS_OWN = "legacy_query"
"""What the SDK calls a query that did not come with a turn."""
_NO_TURN = ("query_workflow", "remove_from_cache")


async def answer_of(
    run: WorkflowHandle[Any, Any], query: str, args: Sequence[object], *, result_type: Any, within_s: float
) -> Any:
    """What a run says; it is asked again while its next turn is due, for so many seconds.

    Raises:
        WorkflowQueryFailedError: its turn is due for longer, or it can't say.
        RPCError: Temporal can't be reached, or nobody answered a query in so many seconds.
    """
    until = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            return await run.query(query, args=args, result_type=result_type, rpc_timeout=timedelta(seconds=within_s))
        except WorkflowQueryFailedError as error:
            if not comes_too_early(error) or asyncio.get_running_loop().time() > until:
                raise
        await asyncio.sleep(ASK_AGAIN_S)


def comes_too_early(error: WorkflowQueryFailedError) -> bool:
    """The run's next turn is due, and nothing else is wrong."""
    return str(error) == TURN_IS_DUE


class TurnRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without a sandbox: no user's code runs in one, so there is nothing to keep from the clock.

    Args:
        had: whether this worker had a turn, by the run and the turn's event: it is part of the history, as ended here.
    """

    def __init__(self, had: Callable[[Info, int], bool] = lambda _run, _turn: False) -> None:
        super().__init__()
        self._had = had

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow in this worker's memory."""
        return _Turns(super().create_instance(det), self._had)


class _Turns(WorkflowInstance):
    """Answers a query by what a replay or a turn of this worker has told the run, and by nothing else.

    A query on its own may reach a worker with more history than the run's last turn has. The SDK (1.35) then tells the
    run at once what has happened since, at that turn's time or at the time of a turn that another worker has, and
    without the Updates of the next. A replay tells all of it together, in another order, at the next turn's time; the
    run would do something else then, and no worker could go on with it. What was told so looks like a turn. So where
    this worker never had that turn the query fails, and the worker drops the run from its memory: whoever asks next,
    or takes the turn, begins with the history.
    """

    def __init__(self, instance: WorkflowInstance, had: Callable[[Info, int], bool]) -> None:
        self._instance = instance
        self._had = had
        self._unsure: int | None = None
        """The event that ends what it was told last, where that was no replay: a turn, if it was one."""

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if any(job.WhichOneof("variant") not in _NO_TURN for job in act.jobs):
            self._unsure = None if act.is_replaying else act.history_length
        elif self._unsure is not None and any(job.query_workflow.query_id == _ON_ITS_OWN for job in act.jobs):
            if not self._had(self.get_info(), self._unsure):
                refused = WorkflowActivationCompletion()
                refused.failed.failure.message = TURN_IS_DUE
                return refused
            self._unsure = None
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._instance.get_external_store_context(command_info)

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

    def get_info(self) -> Info:
        return self._instance.get_info()
