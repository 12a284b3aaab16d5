"""The demo workflow with an agent: tests fail, an agent proposes patches, people decide, the tests run again.

Needs the extra `agent`. The tests of the folder are code, and this runs them.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from spectra_bot.agent import AgentLimits, AgentStep
from spectra_bot.context import StepContext
from spectra_bot.demo.agent_model import model_name, model_named
from spectra_bot.demo.folders import absolute
from spectra_bot.demo.patches import has_git
from spectra_bot.demo.suite import SuiteError, SuiteOutcome, run_suite
from spectra_bot.demo.triage_agent import Triage, agent
from spectra_bot.settings import SettingsError
from spectra_bot.steps import StepResult
from spectra_bot.workflow import Workflow

MAX_ITERATIONS = 30
"""Then it asks whether it may go on."""


def _command(words: str) -> str:
    if not shlex.split(words):
        raise ValueError("name a program")
    return words


class TriageInputs(BaseModel):
    """Whose tests fail; held as an absolute path, for another process may carry the run on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[Path, BeforeValidator(absolute)] = Field(description="the folder whose tests fail")
    command: Annotated[str, AfterValidator(_command)] = Field(
        default="pytest -q", description="what runs its tests; a program with its arguments, no shell"
    )
    limit_s: float = Field(default=300.0, gt=0, le=3600, description="how many seconds the tests may take")
    model: str | None = Field(default=None, description="the agent's model; SPECTRA_AGENT_MODEL without one")


triage = Workflow(
    "triage",
    inputs=TriageInputs,
    description="Have an agent mend failing tests, after a look at each patch; runs the folder's tests",
)


@triage.step
async def run_tests(ctx: StepContext) -> StepResult:
    """Run the tests as they are, once everything is there that is needed to go on from there."""
    inputs = ctx.inputs
    try:
        model = model_name(inputs.model)
        model_named(model)
        if not inputs.folder.is_dir():
            return StepResult.failed(f"{inputs.folder} is {'no folder' if inputs.folder.exists() else 'not there'}")
        if not has_git():
            return StepResult.failed("git is not installed, and patches are applied by it: sudo apt-get install git")
        found = await run_suite(inputs.command, inputs.folder, inputs.limit_s)
    except (SettingsError, SuiteError) as error:
        return StepResult.failed(str(error))
    said = f"Nothing to triage: {found.in_words()}" if found.is_fine else found.in_words()
    return StepResult.completed({"message": said, "model": model, "tests": found.model_dump(mode="json")})


triage.add(
    "triage",
    AgentStep(
        agent,
        lambda ctx: f"`{ctx.inputs.command}` fails: {_first(ctx).in_words()}. Find out why, and mend it.",
        limits=AgentLimits(iterations=MAX_ITERATIONS),
        model=lambda ctx: model_named(ctx.outputs["run_tests"]["model"]),
    ),
    when=lambda ctx: not _first(ctx).is_fine,
)


@triage.step
async def run_tests_again(ctx: StepContext) -> StepResult:
    """Tell how the tests end now, and how to take back what was applied."""
    came_to = Triage.model_validate(ctx.outputs["triage"])
    before = now = _first(ctx)
    if came_to.applied:
        try:
            now = await run_suite(ctx.inputs.command, ctx.inputs.folder, ctx.inputs.limit_s)
        except SuiteError as error:
            return StepResult.failed(str(error))
    outcome = "fixed" if now.is_fine else "still failing"
    what = f"before: {before.in_words()}" if came_to.applied else "nothing was applied"
    return StepResult.completed(
        {
            "message": f"{outcome.capitalize()}: {now.in_words()} ({what})",
            "outcome": outcome,
            "before": before.counts,
            "after": now.counts,
            "agent": came_to.summary,
            "files": sorted({file for patch in came_to.applied for file in patch.files}),
            "to undo": [patch.undo for patch in reversed(came_to.applied)],
        }
    )


def _first(ctx: StepContext) -> SuiteOutcome:
    return SuiteOutcome.model_validate(ctx.outputs["run_tests"]["tests"])
