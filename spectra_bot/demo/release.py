"""The demo workflow: bring what is new in one folder over to another, after a person has seen the diff."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from spectra_bot.context import StepContext
from spectra_bot.demo import folders
from spectra_bot.demo.changes import Change, Comparison, diff_of, in_words, manifest
from spectra_bot.forms import FieldKind, Form, FormField
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.options import InterruptOption
from spectra_bot.steps import StepResult, refusal
from spectra_bot.workflow import Workflow

MAX_CHOICES = 100
MAX_CHOICE_CHARACTERS = 75
"""With more paths, or longer ones, than a menu in Slack holds, the paths to leave out are typed."""


Folder = Annotated[Path, BeforeValidator(folders.absolute)]


class ReleaseInputs(BaseModel):
    """The folders of a release; held as absolute paths, for another process may carry the run on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Folder = Field(description="the folder with the new files")
    target: Folder = Field(description="the folder they go to; nothing in it is deleted")


release = Workflow(
    "release",
    inputs=ReleaseInputs,
    description="Bring new and changed files from one folder to another, after a look at the diff",
)


@release.step
async def compare(ctx: StepContext) -> StepResult:
    """Find what is new or changed; reads only."""
    try:
        found = await asyncio.to_thread(folders.compare, ctx.inputs.source, ctx.inputs.target)
    except folders.ReleaseError as error:
        return StepResult.failed(str(error))
    said = in_words(found.changes) if found.changes else f"Nothing to release: {found.same} files are equal already"
    return StepResult.completed({"message": said, **found.model_dump(mode="json")})


@release.step(when=lambda ctx: bool(ctx.outputs["compare"]["changes"]))
async def approve(ctx: StepContext) -> StepResult:
    """Show the diff and ask; `modify` leads to a new question, without the paths to leave out."""
    found = _comparison(ctx)
    left_out: list[str] = []
    problem = ""
    rounds = 0
    while changes := [change for change in found.changes if change.path not in left_out]:
        rounds += 1
        response = await ctx.interrupt(_question(ctx, found, changes, left_out, problem), key=f"round {rounds}")
        if response.approved:
            return StepResult.completed(
                {
                    "approved_by": response.responder,
                    "paths": [change.path for change in changes],
                    "left_out": left_out,
                }
            )
        if response.option != "modify":
            return StepResult.failed(refusal(response))
        named = [str(path) for path in response.data["leave_out"]]  # type: ignore[union-attr]  # the form's list
        problem = _problem(named, changes)
        # All or nothing: with a path that is not known, the person meant something else than they typed.
        left_out += [] if problem else named
    return StepResult.completed({"message": "Nothing to release: every file was left out", "paths": []})


@release.step(when=lambda ctx: bool((ctx.outputs.get("approve") or {}).get("paths")))
async def apply(ctx: StepContext) -> StepResult:
    """Write exactly what was approved, and the manifest.

    Running it again after a crash is harmless: a file that holds the approved content already is left alone.
    """
    approved = ctx.outputs["approve"]
    changes = [change for change in _comparison(ctx).changes if change.path in approved["paths"]]
    source, target = ctx.inputs.source, ctx.inputs.target
    try:
        contents = await asyncio.to_thread(folders.check, source, target, changes)
        for number, (path, content) in enumerate(contents.items()):
            ctx.progress(number / len(contents), path)
            await asyncio.to_thread(folders.write, source, target, path, content)
        record = manifest(ctx.run_id, approved["approved_by"], changes)
        await asyncio.to_thread(folders.write_manifest, target, record)
    except folders.ReleaseError as error:
        return StepResult.failed(str(error))
    return StepResult.completed(
        {
            "message": f"Released {in_words(changes)} to {target}",
            "manifest": str(target / folders.MANIFEST),
            "files": [change.path for change in changes],
        }
    )


def _comparison(ctx: StepContext) -> Comparison:
    output = {key: value for key, value in ctx.outputs["compare"].items() if key != "message"}
    return Comparison.model_validate(output)


def _question(
    ctx: StepContext,
    found: Comparison,
    changes: Sequence[Change],
    left_out: Sequence[str],
    problem: str,
) -> InterruptRequest:
    reason = f"Release {in_words(changes)} to {ctx.inputs.target}?"
    if problem:
        reason = f"{problem}. Nothing more was left out. {reason}"
    data: dict[str, object] = {
        "source": str(ctx.inputs.source),
        "target": str(ctx.inputs.target),
        "files": [f"{change.kind} {change.path}" for change in changes],
        "diff": diff_of(changes),
    }
    if left_out:
        data["left_out"] = list(left_out)
    if found.skipped:
        data["skipped"] = list(found.skipped)
    modify = InterruptOption("modify", label="Leave files out", form=_leave_out([change.path for change in changes]))
    return InterruptRequest(reason=reason[:3000], data=data, options=("approve", "reject", modify))


def _problem(named: Sequence[str], changes: Sequence[Change]) -> str:
    """Why these paths can't be left out."""
    if not named:
        return "No file was named to leave out"
    unknown = [path for path in named if path not in {change.path for change in changes}]
    return f"Not in this release: {', '.join(unknown[:20])}" if unknown else ""


def _leave_out(paths: Sequence[str]) -> Form:
    fits = len(paths) <= MAX_CHOICES and all(len(path) <= MAX_CHOICE_CHARACTERS for path in paths)
    field = FormField(
        name="leave_out",
        label="Files to leave out",
        kind=FieldKind.LIST,
        choices=tuple(paths) if fits else (),
    )
    return Form(fields=(field,))
