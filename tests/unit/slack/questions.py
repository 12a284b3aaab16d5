"""Requests as the runner stamps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from spectra_bot import InterruptRequest, InterruptResponse

ASKED_AT = datetime(2025, 11, 23, 14, 3, tzinfo=UTC)
STAMP: dict[str, Any] = {
    "id": "i-7k2m9",
    "run_id": "r-4f2a",
    "workflow": "deploy",
    "step": "approve",
    "requested_by": "slack:T1/U1ALICE",
    "created_at": ASKED_AT,
}


def question(reason: str = "Deployment plan requires approval", *, stamped: Any = (), **given: Any) -> InterruptRequest:
    """A request with its stamps; `stamped` overrides those."""
    return InterruptRequest(reason=reason, **given).model_copy(update={**STAMP, **dict(stamped)})


def answer(request: InterruptRequest, option: str = "approve", **given: Any) -> InterruptResponse:
    """A stored answer, nine minutes after the question."""
    response = request.answer(option, responder=given.pop("responder", "slack:T1/U2BOB"), **given)
    return response.model_copy(update={"responded_at": ASKED_AT + timedelta(minutes=9)})
