"""Shows a run at work: a line for each step that ended, and what is running now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.status import Status
from rich.text import Text

from spectra_bot.printable import printable
from spectra_bot.runs import RunUpdate

_ENDS = {
    "StepCompleted": ("✓", "green"),
    "StepSkipped": ("-", "dim"),
    "StepFailed": ("✗", "red"),
}


class Progress:
    """A listener that draws on a terminal, and is silent elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str, str] = {}
        self._status: Status | None = None
        self._paused = 0

    def __call__(self, update: RunUpdate) -> None:
        """Take an update of a run."""
        if not self._console.is_terminal or update.step is None:
            return
        match update.event:
            case "StepStarted":
                self._running[update.step] = ""
            case "StepProgress":
                percent = f"{update.fraction:.0%} " if update.fraction is not None else ""
                self._running[update.step] = f"{percent}{update.text}".strip()
            case "StepCompleted" | "StepSkipped" | "StepFailed":
                self._running.pop(update.step, None)
                mark, style = _ENDS[update.event]
                self._console.print(Text(f"{mark} {printable(update.step)}", style=style))
            case "InterruptRaised":
                self._running.pop(update.step, None)
        self._draw()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Draw nothing that moves while a prompt stands on the same terminal."""
        self._paused += 1
        self._draw()
        try:
            yield
        finally:
            self._paused -= 1
            self._draw()

    def stop(self) -> None:
        """Take away what moves."""
        self._running.clear()
        self._draw()

    def _draw(self) -> None:
        if not self._running or self._paused:
            if self._status is not None:
                self._status.stop()
                self._status = None
            return
        said = ", ".join(f"{step} {text}".strip() for step, text in self._running.items())
        line = Text(printable(said))
        if self._status is None:
            self._status = self._console.status(line)
            self._status.start()
        else:
            self._status.update(line)
