"""What the slash command answers: help, runs, one run, what is pending. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from handlers.slack.blocks import decided_in_words
from handlers.slack.dates import date
from handlers.slack.escape import code, escaped_line, name, one_line, strong
from handlers.slack.layout import Block, Message, context, fitted, section, sections
from handlers.slack.outcome import ENDS, MARKS, how_to_retry, output_blocks, why_blocks
from handlers.slack.people import mention, mentions, with_mentions
from handlers.slack.verdicts import with_reason
from spectra_bot import (
    InputField,
    InterruptRequest,
    RunDetails,
    RunStatus,
    RunSummary,
    StepRecord,
    Workflow,
    inputs_of,
    printable,
    redact,
)

MOST_SHOWN = 15
_MOST_STEPS = 40

STEP_MARKS: Mapping[str, str] = {
    "waiting": "▫️",
    "running": "▶️",
    "retrying": "🔁",
    "interrupted": "✋",
    "completed": "✅",
    "failed": "❌",
    "skipped": "⏭️",
    "cancelled": "🚫",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLine:
    """An open question, and where it stands."""

    request: InterruptRequest
    link: str | None = None


def words(text: str) -> Message:
    """A sentence or two of markup."""
    return Message(text=text, blocks=(section(text),))


def help_list(workflows: Iterable[Workflow], command: str, *, about: str = "") -> Message:
    """What can be typed, and which workflows there are."""
    usage = "\n".join(
        f"{code(f'{command} {words}', 160)}  {what}"
        for words, what in (
            ("run WORKFLOW key=value ...", "start a run; its questions come here"),
            ("help WORKFLOW", "what a workflow takes"),
            ("pending", "what waits for an answer"),
            ("runs [STATUS] [WORKFLOW]", "the newest runs"),
            ("show RUN", "one run: its steps, and who decided"),
            ("cancel RUN", "end a run"),
            ("retry RUN", "run the failed steps of a run again"),
            ("retry RUN from=STEP", "that step and all behind it: effects are done again, questions asked anew"),
        )
    )
    loaded = sorted(workflows, key=lambda workflow: workflow.name)
    head = [section(about)] if about else []
    blocks = [*head, section(usage), *(block for workflow in loaded for block in takes(workflow, command))]
    if not loaded:
        blocks.append(context("No workflow is loaded: start the bot with --workflows or SPECTRA_WORKFLOWS."))
    names = escaped_line(", ".join(workflow.name for workflow in loaded), 1_000)
    notice = f"Not all is shown. Look at one with {code(f'{command} help WORKFLOW')}: {names}"
    text = about or f"How to use {command}. Workflows: {names or 'none'}"
    return Message(text=text, blocks=fitted(blocks, notice))


def takes(workflow: Workflow, command: str) -> list[Block]:
    """One workflow: what it does, what it takes, and how to start it."""
    fields = inputs_of(workflow)
    example = " ".join([command, "run", workflow.name, *(f"{field.name}=..." for field in fields if field.is_required)])
    lines = [f"{strong(workflow.name)}  {escaped_line(workflow.description, 300)}".rstrip(), code(example, 300)]
    lines += [_field_line(field) for field in fields]
    if workflow.inputs is None:
        lines.append("takes any key=value")
    return sections(lines)


def _field_line(field: InputField) -> str:
    need = "required" if field.is_required else f"default {code(_shown(field.default), 60)}"
    help_text = f": {escaped_line(field.help, 150)}" if field.help else ""
    return f"•  {name(field.name)} ({escaped_line(field.kind, 120)}, {need}){help_text}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def problems(what: str, fields: Mapping[str, str], workflow: Workflow, command: str) -> Message:
    """Why a run was not started, field by field, and what the workflow takes."""
    lines = [f"⚠️ {what}", *(f"•  {_field_problem(field, problem)}" for field, problem in list(fields.items())[:20])]
    blocks = [*sections(lines), *takes(workflow, command)]
    notice = f"Not all is shown. See {code(f'{command} help {workflow.name}')}"
    return Message(text="\n".join(lines[:6]), blocks=fitted(blocks, notice))


def _field_problem(field: str, problem: str) -> str:
    return f"{code(field, 80)} {escaped_line(problem, 300)}" if field else escaped_line(problem, 300)


def started(run_id: str, workflow: str, command: str) -> Message:
    """A run was started."""
    text = f"▶️ Started run {code(run_id)} of {name(workflow)}. Its questions come here."
    return Message(text=text, blocks=(section(text), context(f"Follow it: {code(f'{command} show {run_id}')}")))


def not_taken_up(run_id: str) -> Message:
    """A run was started, and nobody carries it on."""
    return words(
        f"⏳ Run {code(run_id)} is stored, but nobody has begun with it: no worker answers at the moment. "
        "It begins by itself as soon as one does, so there is nothing to start again."
    )


def pending_list(lines: Sequence[PendingLine], total: int) -> Message:
    """The open questions, the oldest first."""
    if not lines:
        return words("🎉 Nothing is waiting for an answer.")
    title = f"✋ {total} question{'s' if total != 1 else ''} waiting for an answer"
    blocks = [section(f"*{title}*"), *(section(_pending_line(line)) for line in lines[:MOST_SHOWN])]
    if total > MOST_SHOWN:
        blocks.append(context(f"and {total - MOST_SHOWN} more"))
    return Message(text=title, blocks=fitted(blocks, "and more"))


def _pending_line(line: PendingLine) -> str:
    request = line.request
    reason = escaped_line(redact(request.reason), 200)
    parts = [f"{name(request.workflow)} / {name(request.step)}", f"run {code(request.run_id)}"]
    if request.created_at:
        parts.append(f"asked {date(request.created_at)}")
    if request.deadline:
        parts.append(f"⏰ by {date(request.deadline)}")
    if request.approvers:
        parts.append(f"👤 {mentions(request.approvers, 5)}")
    where = f"\n<{line.link}|Go to the question>" if line.link else ""
    return f"{reason}\n{'  ·  '.join(parts)}{where}"


def runs_list(runs: Sequence[RunSummary], what: str) -> Message:
    """The newest runs first.

    Args:
        what: the kind of runs that were asked for, such as `failed `; empty for all.
    """
    if not runs:
        return words(f"No {what}runs yet.")
    shown = runs[:MOST_SHOWN]
    blocks = sections(_run_line(run) for run in shown)
    if len(runs) > MOST_SHOWN:
        blocks.append(context(f"Only the newest {MOST_SHOWN} are shown."))
    return Message(text=f"The newest {what}runs", blocks=fitted(blocks, "and more"))


def _run_line(run: RunSummary) -> str:
    parts = [f"{MARKS[run.status]} {code(run.run_id)}", f"{name(run.workflow)} {ENDS[run.status]}"]
    if run.requested_by:
        parts.append(f"by {mention(run.requested_by)}")
    parts.append(date(run.updated_at))
    why = f"\n      {_why(run.error, 150)}" if run.error and run.status is RunStatus.FAILED else ""
    return "  ·  ".join(parts) + why


def _why(error: str, limit: int) -> str:
    """Why something failed, in one line, with the people of Slack mentioned."""
    line = one_line(redact(error), limit)
    return with_mentions(line) or escaped_line(line, limit)


def run_details(run: RunDetails, command: str) -> Message:
    """One run: where it stands, its steps, its decisions, its outputs."""
    line = f"{MARKS[run.status]} {strong(run.workflow)} {ENDS[run.status]}  ·  run {code(run.run_id)}"
    by = f"by {mention(run.requested_by)}  ·  " if run.requested_by else ""
    steps = [_step_line(step, run) for step in run.steps[:_MOST_STEPS]]
    blocks = [section(line), context(f"Started {by}{date(run.created_at)}")]
    blocks += sections(steps)
    if len(run.steps) > _MOST_STEPS:
        blocks.append(context(f"and {len(run.steps) - _MOST_STEPS} more steps"))
    see_all = f"See all of it with: spectra-bot show {one_line(run.run_id, 80)} --json"
    blocks += why_blocks(printable(redact(run.error or "")), see_all)
    blocks += output_blocks(run, budget=3_000, see_all=see_all)
    if run.status is RunStatus.FAILED:
        blocks.insert(2, how_to_retry(run.run_id, command))
    return Message(text=line, blocks=fitted(blocks, escaped_line(see_all, 200)))


def _step_line(step: StepRecord, run: RunDetails) -> str:
    parts = [f"{STEP_MARKS[step.phase]} {name(step.step)}"]
    if step.duration is not None:
        parts.append(_duration(step.duration.total_seconds()))
    for record in run.interrupts:
        if record.request.id in step.interrupts and record.response is not None:
            parts.append(decided_in_words(record.request, with_reason(record, record.response)))
        elif record.request.id in step.interrupts:
            parts.append(f"waits: {escaped_line(redact(record.request.reason), 80)}")
    if step.error and step.phase in ("failed", "retrying"):
        parts.append(_why(step.error, 120))
    if step.put_off:
        parts.append(f"waits: {_why(step.put_off, 120)}")
    return "  ·  ".join(parts[:6])


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 1:
        return f"{seconds * 1000:.0f} ms"
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
