"""A patch that an agent proposes: checked, shown to people, and applied or not by their word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from spectra_bot.context import StepContext
from spectra_bot.demo import patches
from spectra_bot.demo.changes import Change, diff_of
from spectra_bot.forms import WHY_FORM, FieldKind, Form, FormField
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.options import InterruptOption

APPLY, REJECT, EDIT = "apply", "reject", "edit"
PATCH = "patch"
MAX_REASON = 300
"""All files stand in the data."""


class AppliedPatch(BaseModel):
    """A patch that was applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[str, ...]
    by: str | None
    """Who said so."""
    undo: str
    """The command that takes it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an agent wants to change in a folder, and why."""

    folder: Path
    patch: str
    why: str
    tests: str
    """How the tests ended that it is about, in words."""

    async def decided(self, ctx: StepContext) -> AppliedPatch | str:
        """What came of it: the patch as it was applied, or why it was not, for the agent.

        What is shown is checked first, and what somebody edited is checked and shown again before it is applied.

        Args:
            ctx: the part of the step that is this proposal only.

        Raises:
            InterruptException: somebody has to decide first.
            PatchError: it can't be applied, so that nobody was asked, or not any more.
        """
        changes, refused = await self._checked(ctx, "check", self.patch)
        if refused is not None:
            raise patches.PatchError(refused)
        before: Sequence[Change] = ()
        problem = None
        for attempt in count():
            response = await ctx.interrupt(self._question(changes, before, problem), key=f"patch {attempt}")
            if response.option != EDIT:
                return await self._applied(ctx, changes, response) if response.approved else _refusal(response)
            edited, problem = await self._checked(ctx, f"check {attempt}", str(response.data.get(PATCH, "")))
            if problem is None:
                before, changes = changes, edited
        raise AssertionError("people never stop to answer")

    async def _checked(self, ctx: StepContext, key: str, patch: str) -> tuple[Sequence[Change], str | None]:
        """What a patch changes, or what is wrong with it; as it was when it was looked at, whatever happened since."""

        async def check() -> JsonValue:
            try:
                changes = await asyncio.to_thread(patches.changes_of, self.folder, patch)
            except patches.PatchError as error:
                return {"problem": str(error)}
            return {"changes": [change.model_dump(mode="json") for change in changes]}

        found = await ctx.once(key, check)
        return [Change.model_validate(change) for change in found.get("changes", ())], found.get("problem")

    async def _applied(self, ctx: StepContext, changes: Sequence[Change], response: InterruptResponse) -> AppliedPatch:
        undo = await ctx.once(
            "apply",
            lambda: asyncio.to_thread(patches.apply, self.folder, changes, keep_as=ctx.effect_id("apply")[:12]),
        )
        return AppliedPatch(files=tuple(change.path for change in changes), by=response.responder, undo=undo)

    def _question(self, changes: Sequence[Change], before: Sequence[Change], problem: str | None) -> InterruptRequest:
        diff = diff_of(changes)
        data: dict[str, JsonValue] = {
            "folder": str(self.folder),
            "tests": self.tests,
            "why": self.why,
            "files": [f"{change.kind} {change.path}" for change in changes],
            "diff": diff,
        }
        if before:
            data["diff before"] = diff_of(before)
        if problem is not None:
            data["could not be used"] = problem
        field = FormField(
            name=PATCH,
            label="The patch",
            kind=FieldKind.TEXT,
            default=diff,
            multiline=True,
            help="A unified diff. It is checked, and shown again before it is applied.",
        )
        files = ", ".join(change.path for change in changes)
        return InterruptRequest(
            reason=f"Apply this patch{', as edited' if before else ''}? It changes {files}"[:MAX_REASON],
            data=data,
            options=(
                InterruptOption(APPLY),
                InterruptOption(REJECT, form=WHY_FORM),  # the model is told
                InterruptOption(EDIT, form=Form(fields=(field,))),
            ),
        )


def _refusal(response: InterruptResponse) -> str:
    said = response.notes or response.data.get("notes")
    return f"{response.responder or 'Somebody'} rejected this patch{f': {said}' if said else '.'}"
