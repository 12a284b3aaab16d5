"""How one run looks in a terminal: its steps as a tree, who decided what, and how it was delivered. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from spectra_bot.cli.terms import (
    MARKS,
    STYLES,
    counted,
    cut,
    duration_text,
    moment_text,
    plain_table,
    shown,
    status_text,
    value_text,
)
from spectra_bot.options import InterruptStatus
from spectra_bot.printable import printable
from spectra_bot.redact import redact
from spectra_bot.runs import DeliveryRecord, InterruptRecord, RunDetails, StepRecord


def run_view(details: RunDetails) -> RenderableType:
    """The run with its steps as a tree: status, duration, who decided, how it was delivered."""
    head = Text.assemble((printable(details.run_id), "bold"), f" · {printable(details.workflow)} · ")
    head.append_text(status_text(details.status))
    facts = plain_table()
    facts.add_row("started", moment_text(details.created_at))
    if details.requested_by:
        facts.add_row("by", Text(printable(details.requested_by)))
    if details.inputs:
        facts.add_row("inputs", Text(value_text(redact(details.inputs))))
    if details.error:
        facts.add_row("error", Text(shown(details.error), style="red"))
    tree = Tree(head, guide_style="dim")
    linear = _is_linear(details.steps)
    for step in details.steps:
        branch = tree.add(_step_line(step, linear=linear))
        for record in details.interrupts:
            if record.request.step == step.step:
                _add_interrupt(branch, record)
        if step.error:
            branch.add(Text(shown(step.error), style="red"))
        if step.put_off:
            branch.add(Text(f"waits: {shown(step.put_off)}", style="red"))
    return Group(tree, facts)


def _step_line(step: StepRecord, *, linear: bool) -> Text:
    line = Text.assemble((f"{MARKS.get(step.phase, '·')} ", STYLES[step.phase]), (printable(step.step), "bold"), " ")
    line.append_text(status_text(step.phase))
    notes = [
        duration_text(step.duration),
        f"visit {step.visit}" if step.visit > 1 else "",
        f"attempt {step.attempt}" if step.attempt > 1 else "",
        f"at {moment_text(step.retry_at)}" if step.retry_at else "",
        f"after {', '.join(step.after)}" if step.after and not linear else "",
    ]
    line.append("".join(f" · {printable(note)}" for note in notes if note), style="dim")
    return line


def _add_interrupt(branch: Tree, record: InterruptRecord) -> None:
    node = branch.add(Text.assemble(_decision(record), f"  {cut(shown(record.request.reason), 300)}"))
    response = record.response
    if record.superseded_by:
        node.add(Text(printable(f"superseded by {record.superseded_by}: the question changed"), style="yellow"))
    for difference in record.request.changed:
        node.add(Text(cut(shown(str(difference)), 300), style="dim"))
    if response and response.notes:
        node.add(Text(f"note: {shown(response.notes)}"))
    if response and {key: value for key, value in response.data.items() if value != response.notes}:
        node.add(Text(f"data: {cut(value_text(redact(response.data)), 300)}"))
    if record.status == "pending":
        until = f" · until {moment_text(record.request.deadline)}" if record.request.deadline else ""
        node.add(Text(printable(f"interrupt {record.request.id}{until}"), style="dim"))
    for delivery in record.deliveries:
        node.add(Text(_delivery(delivery), style="dim"))


def _decision(record: InterruptRecord) -> Text:
    response = record.response
    if response is None:
        return Text("waiting", style=STYLES["pending"])
    line = Text(printable(response.option or response.status.value.replace("_", " ")))
    line.stylize(STYLES.get(response.status.value, "bold"))
    if response.status is InterruptStatus.CANCELLED and record.closed_why:
        line.append(f": {shown(record.closed_why)}", style="dim")
    elif response.status is InterruptStatus.TIMED_OUT and response.option:
        line.append(" by default, nobody decided in time", style="dim")
    elif response.responder:
        line.append(f" by {printable(response.responder)}")
    if response.responded_at:
        line.append(f" at {moment_text(response.responded_at)}", style="dim")
    return line


def _delivery(delivery: DeliveryRecord) -> str:
    parts = [printable(delivery.handler)]
    if delivery.settled_at:
        parts.append(f"settled {moment_text(delivery.settled_at)}")
    elif delivery.delivered_at:
        parts.append(f"delivered {moment_text(delivery.delivered_at)}")
    if delivery.lost:
        parts.append(f"was gone {counted(delivery.lost, 'time')} before")
    if delivery.last_error:
        parts.append(f"{counted(delivery.attempts, 'attempt')}, last error: {shown(delivery.last_error)}")
    if delivery.next_attempt_at:
        parts.append(f"next attempt {moment_text(delivery.next_attempt_at)}")
    return " · ".join(parts)


def _is_linear(steps: Sequence[StepRecord]) -> bool:
    names = [step.step for step in steps]
    return all(step.after == ((names[index - 1],) if index else ()) for index, step in enumerate(steps))
