"""The prompt on a real terminal: a child process behind a pty."""

from __future__ import annotations

import os
import pty
import sys
import termios

from handlers.console import TerminalLines
from tests.acceptance.cli.terminal import Pseudo

_ASK = """
import asyncio, sys
from rich.console import Console
from handlers.console import ConsoleHandler
from spectra_bot import InterruptRequest

async def main():
    handler = ConsoleHandler(console=Console(stderr=True))
    request = InterruptRequest(reason="Ship it?").model_copy(update={"id": "i-1"})
    asked = asyncio.create_task(handler.handle(request))
    if "cancel" in sys.argv:
        while "Your decision" not in shown:
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})
        return
    answer = await asked
    print("answer:", answer.option if answer else None, answer.notes if answer else None)

shown = ""
write = sys.stderr.write
def record(text):
    global shown
    shown += text
    return write(text)
sys.stderr.write = record
asyncio.run(main())
print("end")
"""


def test_decision_is_read_from_a_terminal() -> None:
    with Pseudo([sys.executable, "-c", _ASK]) as terminal:
        terminal.expect("Your decision [1-2, a word or its first letters; empty leaves it open]: ")
        terminal.type("rej\n")
        terminal.expect("Note (optional): ")
        terminal.type("später\n")
        terminal.expect("answer: reject später")

        assert terminal.wait() == 0


def test_ctrl_d_leaves_the_question_open() -> None:
    with Pseudo([sys.executable, "-c", _ASK]) as terminal:
        terminal.expect("Your decision")
        terminal.type("\x04")
        terminal.expect("Left open. To answer later: spectra-bot answer i-1 OPTION")
        terminal.expect("answer: None None")

        assert terminal.wait() == 0


def test_process_ends_at_once_though_nobody_types() -> None:
    with Pseudo([sys.executable, "-c", _ASK, "cancel"]) as terminal:
        terminal.expect("Your decision")
        terminal.expect("Interrupt i-1 is closed here")
        terminal.expect("end")

        assert terminal.wait() == 0


def test_what_was_typed_ahead_is_forgotten() -> None:
    master, slave = pty.openpty()
    try:
        quiet = termios.tcgetattr(slave)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, quiet)
        lines = TerminalLines(slave)
        os.write(master, b"early\nearlier\n")
        first = lines.read_line()

        lines.discard()
        os.write(master, b"now\n")

        assert (first, lines.read_line()) == ("early\n", "now\n")
    finally:
        os.close(master)
        os.close(slave)


def test_lines_are_read_whole_from_any_pieces() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, "grün\nlast".encode())
        os.close(writing)
        lines = TerminalLines(reading)

        assert [lines.read_line() for _ in range(3)] == ["grün\n", "last", ""]
    finally:
        os.close(reading)
