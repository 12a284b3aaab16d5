"""Lists of runs and of what waits, from Temporal's visibility; what this process has just done is never missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from spectra_bot.clock import Clock
from spectra_bot.errors import StoreError
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.runs import RunStatus, RunSummary
from spectra_bot.temporal.calls import CALL_S, FROM_OUTSIDE
from spectra_bot.temporal.visibility import MEMO, STATUS, WORKFLOW, Listed, wanted

logger = logging.getLogger(__name__)

RECENT_S = 5.0
"""Visibility lags behind: a run that was changed here is asked itself for so long, if its row is older."""
MAX_PAGE = 100
"""So many rows are read at once."""


class Listing:
    """Finds runs by what stands beside them.

    Args:
        ask: how a run would be listed now.
        questions: what a run asks, where that is too large to be listed.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        clock: Clock,
        ask: Callable[[str], Awaitable[Listed | None]],
        questions: Callable[[str], Awaitable[Sequence[InterruptRequest]]],
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._clock = clock
        self._ask = ask
        self._ask_questions = questions
        self._recent: dict[str, tuple[int, float]] = {}

    def note(self, run_id: str, seq: int) -> None:
        """A run has so many events by now, and a list made here must show that."""
        self._recent[run_id] = (seq, self._clock.monotonic())

    async def runs(self, *, status: RunStatus | None, workflow: str | None, limit: int) -> Sequence[RunSummary]:
        """The newest runs first, of those that are open and those that were closed last."""
        rows: dict[str, Listed] = {}
        await self._read(rows, limit, lambda: len(rows) >= limit, status=status, workflow=workflow)
        await self._bring_up_to_date(rows)
        summaries = [
            one.summary
            for one in rows.values()
            if (status is None or one.summary.status is status) and workflow in (None, one.summary.workflow)
        ]
        return sorted(summaries, key=lambda summary: (summary.created_at, summary.run_id), reverse=True)[:limit]

    async def pending(self, limit: int) -> Sequence[InterruptRequest]:
        """The interrupts that wait for an answer, oldest first; where there are more, those of the newest runs.

        A run that has to be asked, and does not answer, does not hold up the others; the log says so.

        Raises:
            StoreError: Temporal can't be reached, or nothing can be listed but what such runs ask.
        """
        rows: dict[str, Listed] = {}
        for status in (RunStatus.INTERRUPTED, RunStatus.RUNNING):  # beside its questions a run may have steps at work
            await self._read(rows, limit, lambda: sum(one.summary.pending for one in rows.values()) >= limit, status)
        await self._bring_up_to_date(rows)
        found = await asyncio.gather(*(self._questions(one) for one in rows.values()))
        requests = [request for asked in found if not isinstance(asked, StoreError) for request in asked]
        unheard = [asked for asked in found if isinstance(asked, StoreError)]
        if unheard and not requests:
            raise unheard[0]
        return sorted(requests, key=_asked_at)[:limit]

    async def _questions(self, one: Listed) -> Sequence[InterruptRequest] | StoreError:
        if one.pending is not None:
            return one.pending
        try:
            return await self._ask_questions(one.summary.run_id)
        except StoreError as error:
            logger.warning("questions not listed", extra={"run_id": one.summary.run_id, "why": str(error)})
            return error

    async def _read(
        self,
        rows: dict[str, Listed],
        page: int,
        is_enough: Callable[[], bool],
        status: RunStatus | None = None,
        workflow: str | None = None,
    ) -> None:
        query = wanted(self._task_queue, **{STATUS.name: status and status.value, WORKFLOW.name: workflow})
        pages = self._client.list_workflows(query, page_size=min(page, MAX_PAGE))
        try:
            while not is_enough():
                await pages.fetch_next_page()
                for row in await asyncio.gather(*(self._row(one, status) for one in pages.current_page or ())):
                    if row is not None and not is_enough():
                        rows.setdefault(row.summary.run_id, row)
                if pages.next_page_token is None:
                    return
        except RPCError as error:
            raise StoreError(f"Temporal could not list runs: {error.message}") from error

    async def _row(self, execution: WorkflowExecution, status: RunStatus | None) -> Listed | None:
        """What stands beside an execution; None where that is void, or it is none of ours."""
        if is_void(execution) or (status is RunStatus.FAILED and not await self._is_newest(execution)):
            return None
        found: Listed | None = await execution.memo_value(MEMO, None, type_hint=Listed)
        return found

    async def _is_newest(self, execution: WorkflowExecution) -> bool:
        """No retry took it up. Where lists show every status that one stands before it, and is the one that counts."""
        run = self._client.get_workflow_handle(execution.id)
        try:
            return (await run.describe(rpc_timeout=timedelta(seconds=CALL_S))).run_id == execution.run_id
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise

    async def _bring_up_to_date(self, rows: dict[str, Listed]) -> None:
        """Ask the runs themselves that were changed here after their rows were written.

        Of one that does not answer the row stays, and the log says so.
        """
        recent = self._still_recent().items()
        stale = [run_id for run_id, seq in recent if run_id not in rows or rows[run_id].seq < seq]
        told = await asyncio.gather(*map(self._now, stale))
        rows.update({run_id: now for run_id, now in zip(stale, told, strict=True) if now is not None})

    async def _now(self, run_id: str) -> Listed | None:
        try:
            return await self._ask(run_id)
        except StoreError as error:
            logger.warning("run not listed as it stands", extra={"run_id": run_id, "why": str(error)})
            return None

    def _still_recent(self) -> dict[str, int]:
        now = self._clock.monotonic()
        self._recent = {key: value for key, value in self._recent.items() if now - value[1] < RECENT_S}
        return {run_id: seq for run_id, (seq, _) in self._recent.items()}


def is_void(execution: WorkflowExecution) -> bool:
    """What stands beside it is what once stood: its run has gone on in a new one, or was ended from outside."""
    return execution.status is WorkflowExecutionStatus.CONTINUED_AS_NEW or execution.status in FROM_OUTSIDE


def _asked_at(request: InterruptRequest) -> tuple[datetime, str]:
    assert request.created_at is not None, "it is stored"  # noqa: S101
    return request.created_at, request.id
