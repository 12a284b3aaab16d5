"""An error that a run on Temporal raises is the same at its caller's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError

from spectra_bot import (
    AlreadyAnsweredError,
    InvalidAnswerError,
    NotAllowedError,
    NotPendingError,
    RetryRefusedError,
    RunFinishedError,
    SpectraError,
    UnknownInterruptError,
    UnknownStepError,
)
from spectra_bot.temporal.refusals import refusal, refused

AT = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "error",
    [
        AlreadyAnsweredError("i-1", "r-1", "approve", "slack:T1/U1", AT),
        AlreadyAnsweredError("i-1", "r-1", None, None, None, superseded_by="i-2"),
        NotPendingError("interrupt i-1 is over", run_id="r-1", interrupt_id="i-1"),
        NotAllowedError("cli:ada", ["U1", "slack:T1/U2"], "the requester may not"),
        InvalidAnswerError("that does not fit", {"replicas": "a number is needed"}),
        UnknownInterruptError("i-9"),
        RunFinishedError("r-1", "completed", "nothing to cancel"),
        UnknownStepError("r-1", "plan", ["apply", "ship"]),
        RetryRefusedError("r-1", "ship", "it has not started"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_refusal_arrives_with_its_text_and_all_its_facts(error: SpectraError) -> None:
    arrived = refused(refusal(error))

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize("kind", [None, "RuntimeError", "SpectraErrors", "datetime", "in_words"])
def test_error_that_is_none_of_ours_is_not_taken_for_one(kind: str | None) -> None:
    assert refused(ApplicationError("boom", type=kind)) is None
