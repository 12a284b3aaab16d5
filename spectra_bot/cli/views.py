"""How records look in a terminal: pure, from a record to something rich can draw."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from spectra_bot.cli.terms import (
    counted,
    cut,
    moment_text,
    plain_table,
    shown,
    status_text,
    value_text,
)
from spectra_bot.graph import Edge, Node, Shape
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.printable import printable
from spectra_bot.redact import redact
from spectra_bot.runs import (
    Checkpoint,
    RunDetails,
    RunResult,
    RunSummary,
)

MAX_OUTPUT = 500
"""A value of a step's output is cut here; `show --json` has it whole."""


def outcome_line(result: RunResult) -> Text:
    """The run, its status and its error on one line."""
    line = Text.assemble(f"Run {result.run_id} of {result.workflow}: ", status_text(result.status))
    if result.pending:
        line.append(f", waiting for {counted(len(result.pending), 'answer')}")
    if result.error:
        told = shown(result.error).removeprefix(result.status.value)  # "cancelled by cli:ada: why" says it already
        line.append(told if told.startswith(" ") else f": {shown(result.error)}")
    return line


def output_view(details: RunDetails) -> RenderableType | None:
    """What the last step that completed gave back, None where it gave nothing."""
    last = [step.step for step in details.steps if details.outputs.get(step.step) is not None]
    if not last:
        return None
    output = redact(details.outputs[last[-1]])
    if not isinstance(output, dict):
        return Text(cut(value_text(output), MAX_OUTPUT))
    table = plain_table()
    for key, value in output.items():
        table.add_row(Text(printable(key)), Text(cut(value_text(value), MAX_OUTPUT)))
    return table


def runs_view(runs: Iterable[RunSummary]) -> Table:
    """A line for each run."""
    table = Table("run", "workflow", "status", "started by", "started", "error", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for run in runs:
        status = status_text(run.status)
        if run.pending:
            status.append(f" ({counted(run.pending, 'question')})")
        table.add_row(
            Text(printable(run.run_id)),
            Text(printable(run.workflow)),
            status,
            Text(printable(run.requested_by or "")),
            moment_text(run.created_at),
            Text(cut(shown(run.error or ""), 200)),
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
            Text(cut(shown(request.reason), 300)),
            Text(printable(", ".join(option.id for option in request.options))),
            moment_text(request.deadline),
        )
    return table


def history_view(checkpoints: Iterable[Checkpoint]) -> Table:
    """A line for each event."""
    table = Table("#", "when", "event", "step", "by", "detail", box=box.SIMPLE_HEAD)
    for checkpoint in checkpoints:
        table.add_row(
            str(checkpoint.seq),
            moment_text(checkpoint.at),
            checkpoint.event,
            Text(printable(checkpoint.step or "")),
            Text(printable(checkpoint.by or "")),
            Text(cut(_gist(redact(checkpoint.detail)), 160)),
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


def _gist(detail: dict[str, JsonValue]) -> str:
    """What an event is about, in short; `history --json` has all of it."""
    request, response = detail.get("request"), detail.get("response")
    if isinstance(request, dict):
        return value_text(request.get("reason"))
    if isinstance(response, dict):
        notes = response.get("notes")
        return value_text(response.get("option") or response.get("status")) + (
            f": {value_text(notes)}" if notes else ""
        )
    told = {
        name: detail[name]
        for name in ("inputs", "output", "error", "reason", "from_step", "handler")
        if detail.get(name)
    }
    return value_text(told) if told else ""
