"""Calls to one run on Temporal, with what goes wrong in our own words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from spectra_bot.clock import to_text
from spectra_bot.errors import NotRecordedError, PlaceError, RunNotFoundError, StoreError
from spectra_bot.store import Attempt
from spectra_bot.temporal.refusals import refused
from spectra_bot.temporal.turns import answer_of, comes_too_early

_Memo = TypeVar("_Memo")

CALL_S = 10.0
"""How long a call may take. A query and an Update need a worker that takes them."""

ENDED_MEANWHILE = ("AcceptedUpdateCompletedWorkflow", "UnprocessedUpdate")
"""What Temporal calls it when an Update met the end of its run, or was dropped by its worker, and is not stored."""
UNSURE = (
    RPCStatusCode.ABORTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.UNKNOWN,
)
"""After these nobody knows whether a call did what it was for, or it may do it at the next attempt."""
FROM_OUTSIDE = (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT, WorkflowExecutionStatus.CANCELED)
"""How a run of ours never ends by itself."""


class RunClosedError(Exception):
    """The run is closed in Temporal, so it takes no Update; it can still be asked."""


class RunCalls:
    """Asks runs and changes them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, run_id: str, query: str, *args: object, result_type: Any, execution: str | None = None) -> Any:
        """What a run says; where its next turn is due, after that.

        Args:
            execution: one of its executions, by Temporal's id; the newest where none is named.

        Raises:
            RunNotFoundError: no such run.
            StoreError: Temporal can't be reached, or no worker answers for the run.
        """
        try:
            async with self._translated(run_id):
                return await answer_of(
                    self._handle(run_id, execution), query, args, result_type=result_type, within_s=CALL_S
                )
        except WorkflowQueryFailedError as error:
            why = StoreError(f"run {run_id} could not be asked: {error}")
            raise why from (None if comes_too_early(error) else error)

    async def change(
        self, run_id: str, update: str, args: Sequence[object], *, update_id: str, result_type: Any
    ) -> Any:
        """What an Update of a run came to; it is durable by then.

        Raises:
            RunClosedError: it is closed in Temporal, or is not there: asking it tells which.
            NotRecordedError: no worker took it in time, or Temporal did not say; nothing is known to be stored, and the
                same again is safe.
            SpectraError: it was refused.
        """
        try:
            async with self._translated(run_id):
                return await self._handle(run_id).execute_update(
                    update,
                    args=args,
                    id=update_id,
                    result_type=result_type,
                    rpc_timeout=timedelta(seconds=CALL_S),
                )
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            ours = refused(cause) if isinstance(cause, ApplicationError) else None
            if ours is not None:
                raise ours from None
            if isinstance(cause, ApplicationError) and cause.type in ENDED_MEANWHILE:
                raise RunClosedError(run_id) from error
            raise StoreError(f"run {run_id} could not be changed: {cause}") from error
        except RPCTimeoutOrCancelledError as error:
            if isinstance(error.__cause__, asyncio.CancelledError):
                raise asyncio.CancelledError from error  # the caller itself is cancelled, and must not go on
            raise NotRecordedError(run_id) from error
        except RunNotFoundError as error:
            raise RunClosedError(run_id) from error  # so Temporal says of one that is being closed, too
        except PlaceError as error:
            raise NotRecordedError(run_id, f"{error}; see to that") from error
        except StoreError as error:
            told = error.__cause__
            if isinstance(told, RPCError) and told.status in UNSURE:
                why = f"Temporal did not say what became of it ({told.message}); see that it runs"
                raise NotRecordedError(run_id, why) from error
            raise

    async def tell(self, run_id: str, signal: str, *args: object) -> bool:
        """Have a run hear of something; it is durable by then. False where the run is closed.

        Raises:
            RunNotFoundError: no such run.
            StoreError: Temporal can't be reached.
        """
        try:
            async with self._translated(run_id):
                await self._handle(run_id).signal(signal, args=args, rpc_timeout=timedelta(seconds=CALL_S))
        except RunClosedError:
            return False
        return True

    async def closed(self, run_id: str) -> str | None:
        """Return when a run is closed in Temporal; one call that the server holds, and makes anew where it must.

        Returns:
            How Temporal or its operator ended it; None where it ended by itself.

        Raises:
            RunNotFoundError: no such run.
            StoreError: Temporal can't be reached.
        """
        try:
            async with self._translated(run_id):
                await self._handle(run_id).result()
        except WorkflowFailureError as error:
            return None if isinstance(error.cause, ApplicationError) else str(error.cause)
        return None

    async def newest(self, run_id: str) -> str:
        """Temporal's id of a run's newest execution. Raises what `memo` does."""
        async with self._translated(run_id):
            return (await self._handle(run_id).describe(rpc_timeout=timedelta(seconds=CALL_S))).run_id

    async def ended_from_outside(self, run_id: str) -> str | None:
        """How Temporal or its operator ended a run where it stood; None where it goes on, or has ended by itself.

        Raises:
            RunNotFoundError: no such run.
            StoreError: Temporal can't be reached.
        """
        async with self._translated(run_id):
            status = (await self._handle(run_id).describe(rpc_timeout=timedelta(seconds=CALL_S))).status
        return status.name.lower().replace("_", " ") if status in FROM_OUTSIDE else None

    async def memo(self, run_id: str, name: str, kind: type[_Memo]) -> _Memo | None:
        """What was written beside a run when it was started; None where it is another program's."""
        async with self._translated(run_id):
            description = await self._handle(run_id).describe(rpc_timeout=timedelta(seconds=CALL_S))
            found: _Memo | None = await description.memo_value(name, None, type_hint=kind)
        return found

    async def failing(self, run_id: str) -> dict[str, Attempt]:
        """What Temporal says of each activity of a run that has failed and is tried again, by its id."""
        async with self._translated(run_id):
            description = await self._handle(run_id).describe(rpc_timeout=timedelta(seconds=CALL_S))
        return {
            one.activity_id: Attempt(
                attempts=one.attempt - 1,
                next_attempt_at=to_text(_next_attempt(one)),
                last_error=one.last_failure.message,
            )
            for one in description.raw_description.pending_activities
            if one.attempt > 1
        }

    def _handle(self, run_id: str, execution: str | None = None) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(run_id, run_id=execution)

    @contextlib.asynccontextmanager
    async def _translated(self, run_id: str) -> AsyncIterator[None]:
        try:
            yield
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                if "already completed" in error.message:
                    raise RunClosedError(run_id) from error
                raise RunNotFoundError(run_id) from error
            why = f"run {run_id} could not be reached in Temporal ({error.message}); see that it and a worker run"
            raise StoreError(why) from error


def _next_attempt(pending: PendingActivityInfo) -> datetime:
    """When it is tried again; since when, if that is now."""
    named = "next_attempt_schedule_time" if pending.HasField("next_attempt_schedule_time") else "scheduled_time"
    moment: datetime = getattr(pending, named).ToDatetime(tzinfo=UTC)
    return moment
