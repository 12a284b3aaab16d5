"""What the slash command answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import BaseModel, create_model

from handlers.slack.layout import Message
from handlers.slack.lists import (
    PendingLine,
    help_list,
    pending_list,
    problems,
    run_details,
    runs_list,
    started,
)
from spectra_bot import (
    InterruptRecord,
    InterruptResponse,
    InterruptStatus,
    RunDetails,
    RunStatus,
    RunSummary,
    StepRecord,
    Workflow,
)
from tests.unit.slack.limits import check_message, markup
from tests.unit.slack.questions import ASKED_AT, answer, question

HOSTILE = "<!channel> *b* ` & <https://evil|x>"


class Inputs(BaseModel):
    """What it takes."""

    env: str
    replicas: int = 2


def shown(message: Message) -> str:
    """All its markup."""
    return "\n".join(markup(message.blocks))


def summaries(count: int) -> list[RunSummary]:
    """Runs of every status."""
    return [
        RunSummary(
            run_id=f"r-{n}",
            workflow="deploy",
            status=list(RunStatus)[n % len(RunStatus)],
            requested_by="slack:T1/U1",
            created_at=ASKED_AT,
            updated_at=ASKED_AT,
            error=HOSTILE * 100,
        )
        for n in range(count)
    ]


def details(steps: int = 3) -> RunDetails:
    """A run with a decided and an open question, and one that was closed."""
    request = question()
    return RunDetails(
        run_id="r-4f2a",
        workflow="deploy",
        status=RunStatus.FAILED,
        error=HOSTILE * 50,
        outputs={"plan": {"diff": "x" * 9_000}},
        requested_by="slack:T1/U1",
        created_at=ASKED_AT,
        updated_at=ASKED_AT,
        steps=tuple(
            StepRecord(
                step=f"step-{n}",
                phase="failed" if n == 2 else "completed",
                error=HOSTILE if n == 2 else None,
                started_at=ASKED_AT,
                finished_at=ASKED_AT + timedelta(hours=n, seconds=5),
                interrupts=("i-7k2m9", "i-2", "i-3") if n == 1 else (),
            )
            for n in range(steps)
        ),
        interrupts=(
            InterruptRecord(request=request, response=answer(request)),
            InterruptRecord(request=question(HOSTILE, stamped={"id": "i-2"})),
            InterruptRecord(
                request=question(stamped={"id": "i-3"}),
                response=InterruptResponse(status=InterruptStatus.CANCELLED),
                closed_why="superseded: the question changed",
                superseded_by="i-7k2m9",
            ),
        ),
    )


def test_who_refused_is_mentioned_and_not_spelt_out() -> None:
    failed = {"status": RunStatus.FAILED, "error": "approve: reject by slack:T1/U2"}

    message = runs_list([summaries(1)[0].model_copy(update=failed)], "")

    assert "approve: reject by <@U2>" in shown(message)


def test_why_a_step_at_work_is_not_executed_is_told() -> None:
    step = StepRecord(step="work", phase="running", error="of attempt 1", put_off="the place is gone")
    run = details().model_copy(update={"status": RunStatus.RUNNING, "error": None, "steps": (step,)})

    said = shown(run_details(run, "/spectra"))

    assert "work  ·  waits: the place is gone" in said
    assert "of attempt 1" not in said


def test_help_shows_the_words_and_what_each_workflow_takes() -> None:
    message = help_list([Workflow("deploy", inputs=Inputs, description="Ship <it>")], "/spectra")

    check_message(message)
    assert "`/spectra run WORKFLOW key=value ...`" in shown(message)
    assert "*deploy*  Ship &lt;it&gt;" in shown(message)
    assert "`/spectra run deploy env=...`" in shown(message)
    assert "•  env (text, required)" in shown(message)
    assert "•  replicas (whole number, default `2`)" in shown(message)


def test_help_without_workflows_says_how_to_load_some() -> None:
    assert "No workflow is loaded" in shown(help_list([], "/spectra"))


@pytest.mark.parametrize("count", [1, 40, 300])
def test_help_of_many_workflows_keeps_to_the_limits(count: int) -> None:
    model = create_model("Wide", **{f"field_{n}": (str, HOSTILE * 20) for n in range(40)})  # type: ignore[call-overload]  # made at run time
    workflows = [Workflow(f"w{n}", inputs=model, description=HOSTILE * 50) for n in range(count)]

    check_message(help_list(workflows, "/spectra"))
    check_message(problems("Not started.", {f"f{n}": HOSTILE * 50 for n in range(60)}, workflows[0], "/spectra"))


def test_an_empty_list_says_so_in_words() -> None:
    assert "Nothing is waiting for an answer" in shown(pending_list([], 0))
    assert shown(runs_list([], "failed ")) == "No failed runs yet."


@pytest.mark.parametrize("count", [1, 2, 15, 16, 200])
def test_lists_of_any_length_keep_to_the_limits(count: int) -> None:
    asked = question(HOSTILE * 20, approvers=[f"U{n}" for n in range(99)], timeout=timedelta(days=1))
    line = PendingLine(
        request=asked.model_copy(update={"deadline": ASKED_AT}), link="https://example.slack.com/archives/C1/p1"
    )

    check_message(pending_list([line] * count, count))
    check_message(runs_list(summaries(count), ""))
    check_message(run_details(details(count), "/spectra"))


def test_a_pending_question_links_to_its_message() -> None:
    line = PendingLine(request=question(), link="https://example.slack.com/archives/C1/p1")

    assert "<https://example.slack.com/archives/C1/p1|Go to the question>" in shown(pending_list([line], 1))


def test_a_run_shows_its_steps_with_who_decided() -> None:
    message = run_details(details(), "/spectra")

    assert "✅ step-0  ·  5 s" in shown(message)
    assert "✅ *Approve* by <@U2BOB>" in shown(message)
    assert "waits: &lt;!channel&gt;" in shown(message)
    assert "Replaced by a newer question" in shown(message)
    assert "`/spectra retry r-4f2a`" in shown(message)
    assert "`/spectra retry r-4f2a from=STEP`" in shown(message)


def test_a_started_run_is_named() -> None:
    message = started("r-1", "deploy", "/spectra")

    check_message(message)
    assert "Started run `r-1` of deploy" in message.text
