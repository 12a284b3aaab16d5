"""How a run ended, for the thread of its question. Pure."""

from __future__ import annotations

from handlers.slack.data import data_blocks
from handlers.slack.escape import code, cut, escaped_line, one_line, strong, visible
from handlers.slack.layout import MAX_TEXT, Message, code_block, context, section
from spectra_bot import RunResult, RunStatus, redact

_ERROR_LENGTH = 2_500
_OUTPUTS_WEIGHT = 4_000

MARKS = {
    RunStatus.RUNNING: "▶️",
    RunStatus.INTERRUPTED: "✋",
    RunStatus.COMPLETED: "✅",
    RunStatus.FAILED: "❌",
    RunStatus.CANCELLED: "🚫",
}


def outcome(result: RunResult, *, command: str = "/spectra") -> Message:
    """What to tell where the run last asked: its outputs, its error, or that it was cancelled.

    Args:
        command: the slash command that people type, for what they may do next.
    """
    line = f"{MARKS[result.status]} {strong(result.workflow)} {ENDS[result.status]}  ·  run {code(result.run_id)}"
    blocks = [section(line)]
    error = visible(redact(result.error or ""))
    see_all = f"See all of it with: spectra-bot show {one_line(result.run_id, 80)} --json"
    if error:
        piece = cut(error, _ERROR_LENGTH)
        blocks.append(code_block("Why", "", piece.shown, see_all if piece.left_out else ""))
    if result.status is RunStatus.FAILED:
        blocks.append(context(f"Run the failed steps again: {code(f'{command} retry {result.run_id}')}"))
    if result.status is RunStatus.COMPLETED:
        outputs = {step: output for step, output in result.outputs.items() if output not in (None, {}, [])}
        blocks += data_blocks(outputs, budget=_OUTPUTS_WEIGHT, see_all=see_all)
    text = f"{line}\n{escaped_line(error, 1_500)}" if error else line
    return Message(text=text[:MAX_TEXT], blocks=tuple(blocks))


ENDS = {
    RunStatus.RUNNING: "is running",
    RunStatus.INTERRUPTED: "waits for an answer",
    RunStatus.COMPLETED: "is done",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "was cancelled",
}
