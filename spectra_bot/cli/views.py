"""How records look in a terminal: pure, from a record to something rich can draw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from spectra_bot.graph import Edge, Node, Shape
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.options import InterruptStatus
from spectra_bot.printable import printable
from spectra_bot.redact import redact
from spectra_bot.runs import (
    Checkpoint,
    DeliveryRecord,
    InterruptRecord,
    RunDetails,
    RunResult,
    RunSummary,
    StepRecord,
)

MAX_OUTPUT = 500
"""A value of a step's output is cut here; `show --json` has it whole."""

_STYLES = {
    "completed": "green",
    "approved": "green",
    "running": "blue",
    "retrying": "yellow",
    "interrupted": "yellow",
    "pending": "yellow",
    "timed_out": "yellow",
    "failed": "red",
    "rejected": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "waiting": "dim",
}
_MARKS = {
    "completed": "✓",
    "running": "…",
    "retrying": "↻",
    "interrupted": "?",
    "failed": "✗",
    "skipped": "-",
    "cancelled": "✗",
}


def outcome_line(result: RunResult) -> Text:
    """The run, its status and its error on one line."""
    line = Text.assemble(f"Run {result.run_id} of {result.workflow}: ", _status(result.status))
    if result.pending:
        line.append(f", waiting for {_counted(len(result.pending), 'answer')}")
    if result.error:
        line.append(f": {_shown(result.error)}")
    return line


def output_view(details: RunDetails) -> RenderableType | None:
    """What the last step that completed gave back, None where it gave nothing."""
    last = [step.step for step in details.steps if details.outputs.get(step.step) is not None]
    if not last:
        return None
    output = redact(details.outputs[last[-1]])
    if not isinstance(output, dict):
        return Text(_cut(_as_text(output), MAX_OUTPUT))
    table = _plain_table()
    for key, value in output.items():
        table.add_row(Text(printable(key)), Text(_cut(_as_text(value), MAX_OUTPUT)))
    return table


def runs_view(runs: Iterable[RunSummary]) -> Table:
    """A line for each run."""
    table = Table("run", "workflow", "status", "started by", "started", "error", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for run in runs:
        status = _status(run.status)
        if run.pending:
            status.append(f" ({_counted(run.pending, 'question')})")
        table.add_row(
            Text(printable(run.run_id)),
            Text(printable(run.workflow)),
            status,
            Text(printable(run.requested_by or "")),
            _moment(run.created_at),
            Text(_cut(_shown(run.error or ""), 200)),
        )
    return table


def pending_view(requests: Iterable[InterruptRequest]) -> Table:
    """A line for each question that waits."""
    table = Table("interrupt", "run", "workflow · step", "question", "options", "until", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for request in requests:
        table.add_row(
            Text(printable(request.id)),
            Text(printable(request.run_id)),
            Text(printable(f"{request.workflow} · {request.step}")),
            Text(_cut(_shown(request.reason), 300)),
            Text(printable(", ".join(option.id for option in request.options))),
            _moment(request.deadline),
        )
    return table


def history_view(checkpoints: Iterable[Checkpoint]) -> Table:
    """A line for each event."""
    table = Table("#", "when", "event", "step", "by", "detail", box=box.SIMPLE_HEAD)
    for checkpoint in checkpoints:
        table.add_row(
            str(checkpoint.seq),
            _moment(checkpoint.at),
            checkpoint.event,
            Text(printable(checkpoint.step or "")),
            Text(printable(checkpoint.by or "")),
            Text(_cut(_gist(redact(checkpoint.detail)), 160)),
        )
    return table


def steps_in_words(shape: Shape) -> str:
    """The graph: on one line where each step follows the one before it, else a line a step with what it is after."""
    nodes = shape.nodes
    linear = all(node.edges == ((Edge(nodes[index - 1].name),) if index else ()) for index, node in enumerate(nodes))
    if linear and not any(node.routes or node.backs for node in nodes):
        return printable(" → ".join(node.name for node in nodes))
    return "".join(f"\n    {printable(_node_in_words(node))}" for node in nodes)


def _node_in_words(node: Node) -> str:
    after = [edge.source + (f" ({edge.option})" if edge.option else "") for edge in node.edges]
    back = [f"{route.to} ({route.option})" for route in node.routes if route.back] + list(node.backs)
    notes = [f"after {', '.join(after)}" if after else "", f"back to {', '.join(back)}" if back else ""]
    return " · ".join([node.name, *(note for note in notes if note)])


def run_view(details: RunDetails) -> RenderableType:
    """The run with its steps as a tree: status, duration, who decided, how it was delivered."""
    head = Text.assemble((printable(details.run_id), "bold"), f" · {printable(details.workflow)} · ")
    head.append_text(_status(details.status))
    facts = _plain_table()
    facts.add_row("started", _moment(details.created_at))
    if details.requested_by:
        facts.add_row("by", Text(printable(details.requested_by)))
    if details.inputs:
        facts.add_row("inputs", Text(_as_text(redact(details.inputs))))
    if details.error:
        facts.add_row("error", Text(_shown(details.error), style="red"))
    tree = Tree(head, guide_style="dim")
    linear = _is_linear(details.steps)
    for step in details.steps:
        branch = tree.add(_step_line(step, linear=linear))
        for record in details.interrupts:
            if record.request.step == step.step:
                _add_interrupt(branch, record)
        if step.error:
            branch.add(Text(_shown(step.error), style="red"))
    return Group(tree, facts)


def _step_line(step: StepRecord, *, linear: bool) -> Text:
    line = Text.assemble((f"{_MARKS.get(step.phase, '·')} ", _STYLES[step.phase]), (printable(step.step), "bold"), " ")
    line.append_text(_status(step.phase))
    notes = [
        _duration(step.duration),
        f"visit {step.visit}" if step.visit > 1 else "",
        f"attempt {step.attempt}" if step.attempt > 1 else "",
        f"at {_moment(step.retry_at)}" if step.retry_at else "",
        f"after {', '.join(step.after)}" if step.after and not linear else "",
    ]
    line.append("".join(f" · {printable(note)}" for note in notes if note), style="dim")
    return line


def _add_interrupt(branch: Tree, record: InterruptRecord) -> None:
    node = branch.add(Text.assemble(_decision(record), f"  {_cut(_shown(record.request.reason), 300)}"))
    response = record.response
    if record.superseded_by:
        node.add(Text(printable(f"superseded by {record.superseded_by}: the question changed"), style="yellow"))
    for difference in record.request.changed:
        node.add(Text(_cut(_shown(str(difference)), 300), style="dim"))
    if response and response.notes:
        node.add(Text(f"note: {_shown(response.notes)}"))
    if response and {key: value for key, value in response.data.items() if value != response.notes}:
        node.add(Text(f"data: {_cut(_as_text(redact(response.data)), 300)}"))
    if record.status == "pending":
        until = f" · until {_moment(record.request.deadline)}" if record.request.deadline else ""
        node.add(Text(printable(f"interrupt {record.request.id}{until}"), style="dim"))
    for delivery in record.deliveries:
        node.add(Text(_delivery(delivery), style="dim"))


def _decision(record: InterruptRecord) -> Text:
    response = record.response
    if response is None:
        return Text("waiting", style=_STYLES["pending"])
    line = Text(printable(response.option or response.status.value.replace("_", " ")))
    line.stylize(_STYLES.get(response.status.value, "bold"))
    if response.status is InterruptStatus.CANCELLED and record.closed_why:
        line.append(f": {_shown(record.closed_why)}", style="dim")
    elif response.status is InterruptStatus.TIMED_OUT and response.option:
        line.append(" by default, nobody decided in time", style="dim")
    elif response.responder:
        line.append(f" by {printable(response.responder)}")
    if response.responded_at:
        line.append(f" at {_moment(response.responded_at)}", style="dim")
    return line


def _delivery(delivery: DeliveryRecord) -> str:
    parts = [printable(delivery.handler)]
    if delivery.settled_at:
        parts.append(f"settled {_moment(delivery.settled_at)}")
    elif delivery.delivered_at:
        parts.append(f"delivered {_moment(delivery.delivered_at)}")
    if delivery.lost:
        parts.append(f"was gone {_counted(delivery.lost, 'time')} before")
    if delivery.last_error:
        parts.append(f"{_counted(delivery.attempts, 'attempt')}, last error: {_shown(delivery.last_error)}")
    if delivery.next_attempt_at:
        parts.append(f"next attempt {_moment(delivery.next_attempt_at)}")
    return " · ".join(parts)


def _gist(detail: dict[str, JsonValue]) -> str:
    """What an event is about, in short; `history --json` has all of it."""
    request, response = detail.get("request"), detail.get("response")
    if isinstance(request, dict):
        return _as_text(request.get("reason"))
    if isinstance(response, dict):
        notes = response.get("notes")
        return _as_text(response.get("option") or response.get("status")) + (f": {_as_text(notes)}" if notes else "")
    told = {
        name: detail[name]
        for name in ("inputs", "output", "error", "reason", "from_step", "handler")
        if detail.get(name)
    }
    return _as_text(told) if told else ""


def _is_linear(steps: Sequence[StepRecord]) -> bool:
    names = [step.step for step in steps]
    return all(step.after == ((names[index - 1],) if index else ()) for index, step in enumerate(steps))


def _status(status: str) -> Text:
    return Text(str(status), style=_STYLES.get(status, ""))


def _moment(moment: datetime | None) -> str:
    """A time as errors and questions tell it: in UTC, and marked so."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else ""


def _duration(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _as_text(value: JsonValue) -> str:
    match value:
        case str():
            text = value
        case list() if all(isinstance(item, str) for item in value):
            text = ", ".join(str(item) for item in value)
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return printable(text)


def _shown(text: str) -> str:
    return printable(redact(text))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _plain_table() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
