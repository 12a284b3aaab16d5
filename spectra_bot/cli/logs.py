"""Log lines on standard error: the message, then the facts; secrets masked."""

from __future__ import annotations

import logging

from spectra_bot.printable import printable
from spectra_bot.redact import redact

_ORDINARY = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class _Facts(logging.Formatter):
    """A warning names its error; an error has its traceback, and at DEBUG everything has."""

    def __init__(self, *, with_tracebacks: bool) -> None:
        super().__init__()
        self._with_tracebacks = with_tracebacks

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        line += "".join(f" {name}={value}" for name, value in facts.items())
        if record.exc_info and (record.levelno >= logging.ERROR or self._with_tracebacks):
            line += f"\n{self.formatException(record.exc_info)}"
        elif record.exc_info:
            line += f": {record.exc_info[0].__name__ if record.exc_info[0] else ''}: {record.exc_info[1]}"
        return printable(redact(line))


def log_to_stderr(level: str) -> None:
    """Send this program's log lines from that level on, and others' warnings, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Facts(with_tracebacks=level == "DEBUG"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("spectra_bot", "handlers"):
        logging.getLogger(name).setLevel(level)
