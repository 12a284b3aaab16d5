"""Which turns of runs a worker had, as their histories in Temporal say."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import CancelledError

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.workflow import Info

LOOK_S = 1.0
"""How long a look may take; the SDK (1.35) takes a workflow that is silent for 2 s for a deadlock."""
PAGE = 20
"""Events of a look: a turn's end is most often among the newest."""


class OwnTurns:
    """Knows a worker's turns by the name that only this worker signs them with.

    Made in the event loop that its worker runs in.
    """

    def __init__(self, client: Client) -> None:
        self.identity = f"{client.identity}-{secrets.token_hex(4)}"
        self._client = client
        self._loop = asyncio.get_running_loop()

    def has(self, run: Info, turn: int) -> bool:
        """This worker has ended a turn, and Temporal has stored that; no, where Temporal can't say at once.

        Called from the threads that workflows run in.

        Args:
            turn: the id of the event that began it.
        """
        looking = asyncio.run_coroutine_threadsafe(self._look(run, turn), self._loop)
        try:
            return looking.result(LOOK_S)
        except (RPCError, TimeoutError, CancelledError):
            looking.cancel()
            return False

    async def _look(self, run: Info, turn: int) -> bool:
        wanted = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
            maximum_page_size=PAGE,
        )
        while True:
            page = await self._client.workflow_service.get_workflow_execution_history_reverse(wanted)
            for event in page.history.events:
                if event.event_id == turn + 1:  # nothing comes between a turn's beginning and its end
                    return event.workflow_task_completed_event_attributes.identity == self.identity
                if event.event_id <= turn:
                    return False
            if not page.next_page_token:
                return False
            wanted.next_page_token = page.next_page_token
