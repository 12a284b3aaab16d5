"""What lists of runs are made from, without asking any run: search attributes and a memo beside each workflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import to_json
from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from spectra_bot.interrupts import InterruptRequest
from spectra_bot.json_values import digest
from spectra_bot.machine import RunState
from spectra_bot.runs import RunStatus, RunSummary

STATUS = SearchAttributeKey.for_keyword("SpectraStatus")
WORKFLOW = SearchAttributeKey.for_keyword("SpectraWorkflow")
STARTER = SearchAttributeKey.for_keyword("SpectraStarter")
PENDING = SearchAttributeKey.for_keyword_list("SpectraPending")

ATTRIBUTES = {
    STATUS.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    WORKFLOW.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    STARTER.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PENDING.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
"""What a namespace needs to know of, by name."""

MEMO = "spectra"
START_MEMO = "spectra_start"
MAX_PENDING_BYTES = 2_000
"""Of the ids by which a run's open questions are found; Temporal fails the run's task for one attribute above 2,048."""
MAX_QUESTIONS_BYTES = 64 * 1024
"""As much of its questions stands beside a run; a list asks the run itself for more."""


class Shown(NamedTuple):
    """What of a run makes a difference to lists."""

    status: RunStatus
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMemo:
    """What a start is told apart by, from another of the same id."""

    workflow: str
    inputs: str
    """A digest; the inputs may hold secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A run as lists show it."""

    summary: RunSummary
    pending: tuple[InterruptRequest, ...] | None
    """None where its questions are too large to stand here."""
    seq: int
    """After how many events."""


def shown_of(state: RunState) -> Shown:
    """What lists tell of a run."""
    return Shown(state.status, tuple(interrupt.request.id for interrupt in state.pending()))


def listed(state: RunState, seq: int) -> Listed:
    """A run as lists show it."""
    pending = tuple(interrupt.request for interrupt in state.pending())
    return Listed(
        summary=RunSummary(
            run_id=state.run_id,
            workflow=state.workflow,
            status=state.status,
            requested_by=state.requested_by,
            created_at=state.created_at,
            updated_at=state.updated_at,
            pending=len(pending),
            error=state.error,
        ),
        pending=pending if len(to_json(pending)) <= MAX_QUESTIONS_BYTES else None,
        seq=seq,
    )


def start_memo(state: RunState) -> StartMemo:
    """What tells this start from another of the same id."""
    return StartMemo(workflow=state.workflow, inputs=digest(dict(state.inputs)))


def attributes(state: RunState) -> TypedSearchAttributes:
    """By what a run is found from its start on."""
    shown = shown_of(state)
    return TypedSearchAttributes(
        [
            SearchAttributePair(STATUS, shown.status.value),
            SearchAttributePair(WORKFLOW, state.workflow),
            SearchAttributePair(STARTER, state.requested_by or ""),
            SearchAttributePair(PENDING, _findable(shown.pending)),
        ]
    )


def show(state: RunState, seq: int) -> None:
    """From inside its workflow: have a run found as it stands."""
    shown = shown_of(state)
    workflow.upsert_search_attributes(
        [STATUS.value_set(shown.status.value), PENDING.value_set(_findable(shown.pending))]
    )
    workflow.upsert_memo({MEMO: listed(state, seq)})


def wanted(task_queue: str, **equal: str | None) -> str:
    """A list query; only equality, which every Temporal-compatible backend knows."""
    terms = {"WorkflowType": "SpectraRun", "TaskQueue": task_queue, **equal}
    return " AND ".join(f"{name} = {_quoted(value)}" for name, value in terms.items() if value is not None)


def _findable(pending: tuple[str, ...]) -> list[str]:
    """The oldest of the ids, as many as one attribute holds, written as Temporal's client does: in ASCII."""
    found = list(pending)
    while len(json.dumps(found)) > MAX_PENDING_BYTES:
        found.pop()
    return found


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
