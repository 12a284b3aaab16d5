"""Has Temporal begin a run, or take a closed one up again, and never twice for the same reason."""

from __future__ import annotations

import secrets

from temporalio.api.common.v1 import Memo, Payloads, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import DataConverter, WorkflowSerializationContext, encode_search_attributes
from temporalio.service import RPCError, RPCStatusCode

from spectra_bot.engine import asking
from spectra_bot.errors import StoreError
from spectra_bot.temporal.limits import RENEWAL
from spectra_bot.temporal.messages import SPECTRA_RUN, Events, RunInput
from spectra_bot.temporal.options import TemporalOptions
from spectra_bot.temporal.record import Record
from spectra_bot.temporal.visibility import MEMO, START_MEMO, attributes, listed, start_memo

FAILED_ONLY = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
REJECT = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
BEGINNER_MEMO = "spectra_beginner"
"""Which call has begun an execution."""
UNANSWERED = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
"""Temporal did not say what became of a call."""


class IdTakenError(Exception):
    """A run of that id is there, and may not be begun again."""


class Beginning:
    """Begins runs by Temporal's own call: the SDK's `start_workflow` names no request."""

    def __init__(self, client: Client, options: TemporalOptions, *, lease_s: float) -> None:
        self._client = client
        self._options = options
        self._lease_s = lease_s
        self._has_place = options.payloads is not None

    async def begin(self, events: Events, *, closed: str | None = None) -> int:
        """Have a run carried on from all that has happened to it; returns how many events that are.

        Args:
            closed: the closed execution, by Temporal's id, whose events these are.

        Raises:
            IdTakenError: the id is another run's, or another call has taken the closed execution up, even if what that
                began has failed by now; nothing is begun.
            StoreError: Temporal can't be reached, or refuses it.
        """
        given = RunInput(
            shape=events.shape,
            entries=events.entries,
            lease_s=self._lease_s,
            first_turn_s=asking.FIRST_TURN_S,
            has_place=self._has_place,
            renewal=RENEWAL,
        )
        run_id = Record(given).state.run_id
        mine = secrets.token_hex(16)
        try:
            request = await self._request(given, closed, mine)
            begun = await self._client.workflow_service.start_workflow_execution(request, retry=True)
            if closed is not None and await self._beginner(run_id, begun.run_id) != mine:
                raise IdTakenError(run_id)
        except RPCError as error:
            if error.status is RPCStatusCode.ALREADY_EXISTS:
                raise IdTakenError(run_id) from error
            told = f"run {run_id} could not be started in Temporal: {error.message}"
            if error.status in UNANSWERED:
                told += "; it may be there all the same, so look for it before you start another"
            raise StoreError(told) from error
        return len(events.entries)

    async def _beginner(self, run_id: str, execution: str) -> str | None:
        description = await self._client.get_workflow_handle(run_id, run_id=execution).describe()
        return await description.memo_value(BEGINNER_MEMO, None, type_hint=str)

    async def _request(self, given: RunInput, closed: str | None, mine: str) -> StartWorkflowExecutionRequest:
        state, seq = Record(given).state, len(given.entries)
        namespace = self._client.namespace
        context = WorkflowSerializationContext(namespace=namespace, workflow_id=state.run_id)
        converter: DataConverter = self._client.data_converter.with_context(context)
        memo = {MEMO: listed(state, seq), START_MEMO: start_memo(state), BEGINNER_MEMO: mine}
        reuse = FAILED_ONLY if closed else REJECT
        request = StartWorkflowExecutionRequest(
            namespace=namespace,
            workflow_id=state.run_id,
            workflow_type=WorkflowType(name=SPECTRA_RUN),
            task_queue=TaskQueue(name=self._options.task_queue),
            input=Payloads(payloads=await converter.encode([given])),
            identity=self._client.identity,
            # Temporal begins nothing where the newest execution was begun by this very request.
            request_id=closed or mine,
            workflow_id_reuse_policy=reuse,
            # Not USE_EXISTING: it would not tell whether the run that is there is the one that is meant.
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
            memo=Memo(fields={name: (await converter.encode([value]))[0] for name, value in memo.items()}),
        )
        encode_search_attributes(attributes(state), request.search_attributes)
        return request
