"""Lines that a person types: the event loop does not wait for them, nor does the end of the process."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import getpass
import os
import threading
from collections.abc import Callable


class TerminalLines:
    """Lines from a file descriptor, by default the terminal's.

    It reads the descriptor and not `sys.stdin`: a thread that is stopped inside that buffer at exit takes the
    interpreter down with it.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed = ""

    def read_line(self) -> str:
        """The next line with its newline; an empty text at the end of input."""
        while "\n" not in self._typed:
            read = os.read(self._descriptor, 4096)
            if not read:
                rest, self._typed = self._typed, ""
                return rest
            self._typed += self._decode.decode(read)
        line, newline, self._typed = self._typed.partition("\n")
        return line + newline

    def discard(self) -> None:
        """Forget what was typed and not yet read: it was meant for an earlier question."""
        self._typed = ""
        if os.isatty(self._descriptor):
            import termios  # not on Windows  # noqa: PLC0415

            termios.tcflush(self._descriptor, termios.TCIFLUSH)


class LineReader:
    """Hands each line that is read to the one who waits for it.

    A read can't be taken back when its waiter gives up, and nobody can tell what its line was meant for. So that line
    is dropped: the next waiter is told so through `on_dropped`, and gets the line after it.
    """

    def __init__(
        self, read_line: Callable[[], str], *, discard: Callable[[], None], on_dropped: Callable[[], None]
    ) -> None:
        self._read_line = read_line
        self._discard = discard
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._reading = False
        self._given_up = False
        self._waiting: asyncio.Future[str] | None = None

    def discard(self) -> None:
        """Forget what was typed so far."""
        self._discard()

    async def line(self) -> str:
        """The next line without its end.

        Raises:
            EOFError: the input is over.
        """
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting = waiting
            start, self._reading = not self._reading, True
        if start:
            threading.Thread(target=self._read, name="console lines", daemon=True).start()
        try:
            line = await waiting
        finally:
            with self._lock:
                self._waiting = None
                self._given_up = self._reading
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def _read(self) -> None:
        while True:
            try:
                line = self._read_line()
            except (OSError, EOFError):  # the terminal went away
                line = ""
            with self._lock:
                dropped, self._given_up = self._given_up and bool(line), False
                waiting = self._waiting
                again = self._reading = dropped and waiting is not None
            if waiting is not None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the process is on its way out
                    waiting.get_loop().call_soon_threadsafe(self._hand_over, waiting, None if dropped else line)
            if not again:
                return

    def _hand_over(self, waiting: asyncio.Future[str], line: str | None) -> None:
        if line is None:
            self._on_dropped()
        elif not waiting.done():
            waiting.set_result(line)


def cli_identity() -> str:
    """Who sits at this terminal, by the system's own account of it: `cli:login`.

    The user database comes first, because `getpass` believes the LOGNAME that anyone can set.
    """
    try:
        import pwd  # not on Windows  # noqa: PLC0415

        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except (ImportError, KeyError):
        pass
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container without a user database
        return f"cli:uid-{os.getuid()}"
