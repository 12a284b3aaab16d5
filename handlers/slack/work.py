"""A run at work, as its thread shows it: what its steps say, what they call, and what came of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.slack.escape import escaped_line, name, one_line
from handlers.slack.layout import MAX_TEXT, Block, Message, code_block, quote, section
from spectra_bot import RunUpdate, printable, redact

MOST_CALLS = 10
_MOST_TEXT = 500
_LINE = 150

_ENDS = {
    "InterruptRaised": "✋ {step} asks",
    "StepCompleted": "✅ {step} is done",
    "StepSkipped": "⏭️ {step} had nothing to do",
    "StepErrored": "🔁 {step} failed, and is tried again",
    "StepFailed": "❌ {step} failed",
}
AT_WORK = "⚙️ {step} is at work"
STOPPED = "🚫 {step} was stopped"
GOES_ON = "⬇️ {step} goes on below"
PAUSED = "⏸️ {step} goes on when I am back"


@dataclass(slots=True)
class StepAtWork:
    """What one execution of a step has shown so far."""

    says: str = AT_WORK
    is_over: bool = False
    text: str = ""
    fraction: float | None = None
    calls: dict[str, str] = field(default_factory=dict)
    """The newest, by what they are about; a line each."""

    def take(self, update: RunUpdate) -> None:
        """Take in what it tells."""
        if update.event in _ENDS:
            self.end(_ENDS[update.event])
        elif update.about is not None:
            has_begun = self.calls.get(update.about) is not None
            self.calls[update.about] = f"{'•' if has_begun else '…'} {one_line(redact(update.text), _LINE)}"
            for oldest in list(self.calls)[:-MOST_CALLS]:
                del self.calls[oldest]
        else:
            self.text = update.text or self.text
            self.fraction = update.fraction if update.fraction is not None else self.fraction

    def end(self, says: str) -> None:
        """It shows no more."""
        self.says, self.is_over = says, True


def ends(update: RunUpdate) -> bool:
    """It tells that an execution of a step is over."""
    return update.event in _ENDS


def work_message(steps: Mapping[str, StepAtWork]) -> Message:
    """What the steps at work show, the newest last."""
    blocks: list[Block] = []
    lines: list[str] = []
    for step, work in list(steps.items())[-4:]:
        percent = f" · {work.fraction:.0%}" if work.fraction is not None and not work.is_over else ""
        line = work.says.format(step=name(step)) + percent
        lines.append(line)
        blocks.append(section(line))
        if work.text:
            newest = printable(redact(work.text))[-_MOST_TEXT:]
            lines.append(escaped_line(newest, _MOST_TEXT))
            blocks.append(quote("Says", [newest]))
        if work.calls:
            lines.append(escaped_line(list(work.calls.values())[-1], _LINE))
            blocks.append(code_block("Calls", "", printable("\n".join(work.calls.values()))))
    return Message(text="\n".join(lines)[:MAX_TEXT], blocks=tuple(blocks))
