"""Questions about tool calls, and what becomes of the calls by their answers. A rejected call is told to the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from pydantic_ai.tools import ToolApproved, ToolDenied

from spectra_bot.agent import editing
from spectra_bot.agent.editing import Arguments
from spectra_bot.agent.limits import Spent
from spectra_bot.context import StepContext
from spectra_bot.errors import InterruptTimedOutError
from spectra_bot.forms import WHY_FORM
from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.options import InterruptOption, InterruptStatus

APPROVE, REJECT, EDIT = "approve", "reject", "edit"
NeedsApproval = Callable[[str, Mapping[str, JsonValue]], bool]
"""Whether a call needs somebody's approval, by the tool's name and the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to become of edited arguments."""

    problem: str | None = None
    """What is wrong with them by the tool's own schema."""
    needs_approval: bool = True
    """Somebody has to look at them, as the tool would get them."""


Judge = Callable[[Arguments], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedCall:
    """A call that the model wants, and why."""

    tool: str
    arguments: Arguments
    why: str
    """What it said beside the call."""
    spent: Spent


async def decide(
    ctx: StepContext,
    call: ProposedCall,
    *,
    judge: Judge,
    ask: Mapping[str, Any],
) -> ToolApproved | ToolDenied:
    """What people decide about a call. Whatever is edited is checked, judged and shown again before it may run.

    Args:
        ctx: the part of the step that is about this call only, and not of it.
        judge: looks at what was edited; what it lets pass needs no second look.
        ask: approvers, timeout and channel of the questions.

    Raises:
        InterruptException: somebody has to decide first.
    """
    arguments, before, problem = call.arguments, None, None
    draft: Arguments | None = None
    attempt = 0
    while True:
        request = question(call, arguments, before=before, problem=problem, draft=draft, ask=ask)
        try:
            response = await ctx.interrupt(request, key=f"approval {attempt}")
        except InterruptTimedOutError:
            return ToolDenied("Nobody decided in time whether this call may be made.")
        attempt += 1
        if response.option == EDIT:
            edited, problem = editing.edited(response, arguments)
            if problem is None:
                verdict = judge(edited)
                problem = verdict.problem
            draft = editing.draft(response) if problem is not None else None
            if problem is None:
                before, arguments = arguments, edited
                if not verdict.needs_approval:
                    return ToolApproved(override_args=dict(arguments))
            continue
        if response.status is not InterruptStatus.APPROVED:
            return ToolDenied(_denial(response))
        return ToolApproved(override_args=None if arguments == call.arguments else dict(arguments))


def question(
    call: ProposedCall,
    arguments: Arguments,
    *,
    before: Arguments | None = None,
    problem: str | None = None,
    draft: Arguments | None = None,
    ask: Mapping[str, Any],
) -> InterruptRequest:
    """What people are asked about a call.

    Args:
        problem: why the last edit could not be used.
        draft: that edit, which may be corrected.
    """
    reason = f"The agent wants to call {call.tool}"
    data: dict[str, JsonValue] = {"tool": call.tool, "arguments": dict(arguments)}
    if before is not None:
        reason = f"May the agent call {call.tool} with the edited arguments?"
        data["arguments before"] = dict(before)
    if problem is not None:
        data["could not be used"] = problem
    if call.why:
        data["why"] = call.why
    data["so far"] = call.spent.in_words()
    return InterruptRequest(
        reason=reason,
        data=data,
        options=(
            InterruptOption(APPROVE),
            InterruptOption(REJECT, form=WHY_FORM),  # the model is told
            InterruptOption(EDIT, form=editing.form(arguments if draft is None else draft)),
        ),
        **ask,
    )


def _denial(response: InterruptResponse) -> str:
    who = response.responder or "Somebody"
    said = response.notes or response.data.get("notes")
    return f"{who} rejected this call{f': {said}' if said else '.'}"
