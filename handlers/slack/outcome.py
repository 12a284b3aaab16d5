"""How a run ended, for the thread of its question. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from handlers.slack.data import data_blocks
from handlers.slack.escape import code, cut, escaped_line, one_line, strong
from handlers.slack.layout import MAX_TEXT, Block, Message, code_block, context, section
from handlers.slack.outline import scalar
from handlers.slack.people import with_mentions
from spectra_bot import RunResult, RunStatus, printable, redact

_ERROR_LENGTH = 2_500
_SENTENCE = 300
_BRIEF = 80
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
    error = printable(redact(result.error or ""))
    see_all = f"See all of it with: spectra-bot show {one_line(result.run_id, 80)} --json"
    blocks = [section(line), *why_blocks(error, see_all)]
    if result.status is RunStatus.FAILED:
        blocks.append(how_to_retry(result.run_id, command))
    if result.status is RunStatus.COMPLETED:
        blocks += output_blocks(result, budget=_OUTPUTS_WEIGHT, see_all=see_all)
    text = f"{line}\n{with_mentions(error) or escaped_line(error, 1_500)}" if error else line
    return Message(text=text[:MAX_TEXT], blocks=tuple(blocks))


def how_to_retry(run_id: str, command: str) -> Block:
    """What to type to run a failed run again."""
    again, anew = f"{command} retry {run_id}", f"{command} retry {run_id} from=STEP"
    return context(
        f"Run the failed steps again: {code(again)}. An earlier step and all behind it, effects and questions too: "
        f"{code(anew)}"
    )


def why_blocks(error: str, see_all: str) -> list[Block]:
    """Why a run ended as it did: as a sentence where it is one, else as code."""
    sentence = with_mentions(error) if len(error) <= _SENTENCE else None
    if sentence:
        return [section(sentence)]
    piece = cut(error, _ERROR_LENGTH)
    return [code_block("Why", "", piece.shown, see_all if piece.left_out else "")] if error else []


def output_blocks(result: RunResult, *, budget: int, see_all: str) -> list[Block]:
    """What the steps put out, in short."""
    outputs = {step: _brief(output) for step, output in result.outputs.items() if output not in (None, {}, [])}
    return data_blocks(outputs, budget=budget, see_all=see_all)


def _brief(output: JsonValue) -> JsonValue:
    """A small object on one line."""
    if (
        isinstance(output, dict)
        and len(output) <= 3
        and not any(isinstance(item, dict | list) for item in output.values())
    ):
        line = ", ".join(f"{key}: {scalar(item)}" for key, item in redact(output).items())
        return line if len(line) <= _BRIEF else output
    return output


ENDS = {
    RunStatus.RUNNING: "is running",
    RunStatus.INTERRUPTED: "waits for an answer",
    RunStatus.COMPLETED: "is done",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "was cancelled",
}
