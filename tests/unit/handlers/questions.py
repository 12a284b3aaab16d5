"""Questions as a runner would hand them to a handler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from spectra_bot import InterruptOption, InterruptRequest


def question(
    reason: str = "Ship it?",
    *,
    options: Iterable[str | InterruptOption] = ("approve", "reject"),
    data: Mapping[str, Any] | None = None,
    approvers: Iterable[str] = (),
    deadline: datetime | None = None,
    interrupt_id: str = "i-1",
) -> InterruptRequest:
    """A question with the fields that a runner stamps."""
    request = InterruptRequest(reason=reason, options=options, data=data or {}, approvers=approvers)
    stamped = {"id": interrupt_id, "run_id": "r-1", "workflow": "deploy", "step": "approve", "deadline": deadline}
    return request.model_copy(update=stamped)
