"""What a call to a run on Temporal is said to have come to."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from spectra_bot import NotRecordedError, StoreError
from spectra_bot.temporal.calls import RunCalls


class Failing:
    """A client whose server refuses each change. A real one says these things only by chance."""

    def __init__(self, status: RPCStatusCode) -> None:
        self._status = status

    def get_workflow_handle(self, _run_id: str, *, run_id: str | None) -> Failing:
        return self

    async def execute_update(self, *_: Any, **__: Any) -> None:
        raise RPCError("workflow update was aborted", self._status, b"")


@pytest.mark.parametrize(
    ("status", "is_unsure"),
    [
        (RPCStatusCode.UNAVAILABLE, True),
        (RPCStatusCode.RESOURCE_EXHAUSTED, True),
        (RPCStatusCode.PERMISSION_DENIED, False),
        (RPCStatusCode.INVALID_ARGUMENT, False),
    ],
)
async def test_change_of_which_temporal_does_not_say_what_became_is_not_said_to_have_changed_nothing(
    status: RPCStatusCode, is_unsure: bool
) -> None:
    calls = RunCalls(Failing(status))  # type: ignore[arg-type]

    with pytest.raises(StoreError, match="workflow update was aborted") as told:
        await calls.change("r-1", "answer", [], update_id="u", result_type=None)

    assert isinstance(told.value, NotRecordedError) is is_unsure
