from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from spectra_bot import (
    Checkpoint,
    DeliveryRecord,
    InterruptRecord,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunDetails,
    RunStatus,
    RunSummary,
    RunUpdate,
    StepRecord,
)
from spectra_bot.cli.progress import Progress
from spectra_bot.cli.run_view import run_view
from spectra_bot.cli.views import history_view, outcome_line, output_view, runs_view

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
BAD = "\x1b[2J[red]xoxb-1234567890-abcdef[/red]"


def drawn(view: RenderableType | None) -> str:
    assert view is not None
    console = Console(file=io.StringIO(), width=150, markup=False, highlight=False)
    console.print(view)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return shown


def record(response: InterruptResponse | None, *, closed_why: str | None = None) -> InterruptRecord:
    request = InterruptRequest(reason="Ship?", timeout=timedelta(hours=1))
    stamped = request.model_copy(update={"id": "i-1", "step": "approve", "deadline": NOON})
    failing = DeliveryRecord(handler="slack", attempts=3, lost=2, last_error=BAD, next_attempt_at=NOON)
    return InterruptRecord(request=stamped, response=response, closed_why=closed_why, deliveries=(failing,))


def asked_anew(request: InterruptRequest, before: InterruptRequest) -> InterruptRequest:
    stamped = {"id": "i-2", "step": "approve", "replaces": "i-1", "changed": request.differences(before)}
    return request.model_copy(update=stamped)


def details(
    *interrupts: InterruptRecord, error: str | None = None, outputs: dict[str, object] | None = None
) -> RunDetails:
    return RunDetails.model_validate(
        {
            "run_id": "r-1",
            "workflow": "deploy",
            "status": RunStatus.FAILED if error else RunStatus.INTERRUPTED,
            "error": error,
            "outputs": outputs or {},
            "inputs": {"env": "prod", "token": "s3cret"},
            "created_at": NOON,
            "updated_at": NOON,
            "steps": [
                StepRecord(step="plan", phase="completed", started_at=NOON, finished_at=NOON + timedelta(seconds=2)),
                StepRecord(step="approve", after=("plan",), phase="interrupted", visit=2, error=error),
                StepRecord(step="notify", after=("plan",), phase="waiting"),
            ],
            "interrupts": interrupts,
        }
    )


def test_times_are_told_in_utc_wherever_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        shown = drawn(run_view(details()))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert "started  2030-01-02 12:00:00Z" in shown


def test_waiting_question_is_shown_with_its_id_and_what_went_wrong_with_its_delivery() -> None:
    shown = drawn(run_view(details(record(None))))

    assert "✓ plan completed · 2.0 s" in shown
    assert "? approve interrupted · visit 2 · after plan" in shown
    assert "waiting  Ship?" in shown
    assert "interrupt i-1 · until 2030-01-02" in shown
    assert "slack · was gone 2 times before · 3 attempts, last error:" in shown
    assert "next attempt 2030-01-02 12:00:00Z" in shown


def test_answer_is_shown_with_who_note_and_data() -> None:
    answer = InterruptResponse(
        status=InterruptStatus.ANSWERED,
        option="modify",
        notes="smaller",
        data={"replicas": 1},
        responder="slack:T1/U1",
        responded_at=NOON,
    )

    shown = drawn(run_view(details(record(answer))))

    assert "modify by slack:T1/U1 at 2030-01-02" in shown
    assert "note: smaller" in shown
    assert 'data: {"replicas": 1}' in shown


def test_question_that_changed_is_shown_with_what_stands_in_for_it_and_what_changed() -> None:
    before, after = (InterruptRequest(reason="Scale?", data={"replicas": replicas}) for replicas in (2, 3))
    answer = InterruptResponse(status=InterruptStatus.APPROVED, option="approve", responded_at=NOON)
    old = record(answer).model_copy(update={"superseded_by": "i-2"})
    new = record(None).model_copy(update={"request": asked_anew(after, before)})

    shown = drawn(run_view(details(old, new)))

    assert "superseded by i-2: the question changed" in shown
    assert "data.replicas: 2 → 3" in shown


def test_question_that_nobody_answered_says_why_it_is_over() -> None:
    late = InterruptResponse(status=InterruptStatus.TIMED_OUT, option="reject", responded_at=NOON)
    closed = InterruptResponse(status=InterruptStatus.CANCELLED, responded_at=NOON)

    shown = drawn(run_view(details(record(late), record(closed, closed_why="step plan failed"))))

    assert "reject by default, nobody decided in time" in shown
    assert "cancelled: step plan failed" in shown


def test_foreign_text_is_masked_and_written_out_everywhere() -> None:
    summary = RunSummary(
        run_id="r-1", workflow="w", status=RunStatus.FAILED, created_at=NOON, updated_at=NOON, error=BAD
    )
    event = Checkpoint(seq=1, at=NOON, event="StepFailed", by="\x1bcli", detail={"error": BAD, "password": "s3cret"})
    run = details(record(None), error=BAD, outputs={"plan": {"key": BAD, "secret": "s3cret"}})

    for view in (run_view(run), runs_view([summary]), history_view([event]), output_view(run), outcome_line(run)):
        shown = drawn(view)
        assert "\x1b" not in shown
        assert "s3cret" not in shown
        assert "abcdef" not in shown.replace("\n", "")


def test_progress_is_drawn_on_a_terminal_only() -> None:
    shown = {}
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
        progress = Progress(console)
        progress(RunUpdate(run_id="r-1", event="StepStarted", step="plan"))
        progress(RunUpdate(run_id="r-1", event="StepProgress", step="plan", fraction=0.5, text="half"))
        progress(RunUpdate(run_id="r-1", event="StepCompleted", step="plan"))
        progress.stop()
        shown[is_terminal] = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above

    assert "✓ plan" in shown[True]
    assert shown[False] == ""
