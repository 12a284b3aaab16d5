"""A program on a terminal of its own, driven as a person would: wait for what it shows, then type."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 30.0
_STYLING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Pseudo:
    """A child process behind a pty. Standard output goes to the terminal too, unless `stdout` is a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdout: Path | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        self._seen = 0
        self.shown = ""
        plain = {**(env if env is not None else os.environ), "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
        out = stdout.open("w") if stdout else None
        try:
            self._process = subprocess.Popen(
                command, stdin=slave, stdout=out or slave, stderr=slave, cwd=cwd, env=plain, start_new_session=True
            )
        finally:
            os.close(slave)
            if out:
                out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        os.close(self._master)

    def expect(self, text: str) -> None:
        """Wait until the text was shown, after all that was expected before."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.shown.find(text, self._seen)) < 0:
            assert self._read(deadline - time.monotonic()), f"{text!r} was not shown, but:\n{self.shown}"
        self._seen = found + len(text)

    def type(self, text: str) -> None:
        """Type a text; a line ends with a newline, and \\x04 is Ctrl-D."""
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> None:
        """What a terminal does at Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """The exit code, after everything that was shown is read."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline - time.monotonic()):
            pass
        return self._process.wait(max(deadline - time.monotonic(), 0.1))

    def _read(self, timeout_s: float) -> bool:
        readable, _, _ = select.select([self._master], [], [], max(timeout_s, 0))
        if not readable:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the last holder of the other side closed it
            return False
        self.shown += _STYLING.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(data)
