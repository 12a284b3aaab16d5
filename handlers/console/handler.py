"""A handler that asks in the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from handlers.console.editor import Edit, EditorError, open_editor
from handlers.console.form import fill_in
from handlers.console.lines import LineReader, TerminalLines, cli_identity
from handlers.console.matching import match_option
from handlers.console.view import question_view
from spectra_bot import InterruptOption, InterruptRequest, InterruptResponse, printable


class ConsoleHandler:
    """Asks in the terminal, one question at a time; Ctrl-D or an empty line leaves a question open.

    What is typed before a question is shown does not answer it. A question that is answered elsewhere ends its
    prompt at once, with a line that says so.

    Args:
        console: where the question is shown; standard error, so that standard output stays clean.
        read_line: the next line with its newline, an empty text at the end of input; runs in its own thread.
        discard: forgets what was typed so far; the terminal's own with the default `read_line`.
        responder: the verified identity of whoever sits there; by default `cli:` and this process's login.
        later: words how to answer a question that is left open; empty where something else says it.
        edit: has a text of several lines changed; by default in the editor of the terminal.
        on_left: told of each question that is left open.
        while_asking: entered while a prompt stands, to keep other output away from it.
    """

    def __init__(
        self,
        *,
        console: Console | None = None,
        read_line: Callable[[], str] | None = None,
        discard: Callable[[], None] = lambda: None,
        responder: str | None = None,
        later: Callable[[InterruptRequest], str] = lambda request: f"spectra-bot answer {request.id} OPTION",
        edit: Edit = open_editor,
        on_left: Callable[[InterruptRequest], None] = lambda _request: None,
        while_asking: Callable[[], AbstractContextManager[object]] = nullcontext,
        name: str = "ConsoleHandler",
    ) -> None:
        self.name = name
        self._console = console or Console(stderr=True)
        terminal = TerminalLines()
        self._lines = LineReader(
            read_line or terminal.read_line,
            discard=discard if read_line else terminal.discard,
            on_dropped=lambda: self._say("That line was begun before this question; type it again."),
        )
        self._responder = responder or cli_identity()
        self._later = later
        self._edit = edit
        self._on_left = on_left
        self._while_asking = while_asking
        self._turn = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Ask nothing more, and end the prompt that stands without a word: the process is about to stop."""
        self._closed = True

    async def handle(self, request: InterruptRequest) -> InterruptResponse | None:
        """Show the question and read the decision; None where it is left open."""
        async with self._turn:
            if self._closed:
                return None
            with self._while_asking():
                try:
                    return await self._ask(request)
                except EOFError:
                    self._leave(request, "\nLeft open.")
                    return None
                except EditorError as error:
                    self._leave(request, f"{error} Left open.")
                    return None
                except asyncio.CancelledError:
                    over = f"\nInterrupt {request.id} is closed here: answered elsewhere, or its run is over."
                    self._say("" if self._closed else over)
                    raise

    async def _ask(self, request: InterruptRequest) -> InterruptResponse | None:
        self._console.print(question_view(request))
        if request.approvers and self._responder not in request.approvers:
            self._leave(request, f"You are {self._responder} and may not decide this.")
            return None
        self._lines.discard()
        while True:
            hint = f"1-{len(request.options)}, a word or its first letters; empty leaves it open"
            typed = await self._question(f"Your decision [{hint}]: ")
            if not typed:
                self._leave(request, "Left open.")
                return None
            option = match_option(request.options, typed)
            if isinstance(option, str):
                self._say(option)
                continue
            if await self._is_sure(option):
                return await self._response(request, option)

    async def _is_sure(self, option: InterruptOption) -> bool:
        if option.confirm is None:
            return True
        return (await self._question(f"{option.confirm} [y/N]: ")).lower() in ("y", "yes")

    async def _response(self, request: InterruptRequest, option: InterruptOption) -> InterruptResponse:
        data: dict[str, JsonValue] = {}
        if option.form is not None:
            data = await fill_in(option.form, self._question, self._say, self._edit)
        has_notes = option.form is not None and any(field.name == "notes" for field in option.form.fields)
        notes = "" if has_notes else await self._question("Note (optional): ")
        return request.answer(option.id, data=data, notes=notes or None, responder=self._responder)

    def _leave(self, request: InterruptRequest, why: str) -> None:
        later = self._later(request)
        self._say(f"{why} To answer later: {later}" if later else why)
        self._on_left(request)

    async def _question(self, text: str) -> str:
        self._console.print(Text(printable(text), style="bold"), end="")
        return (await self._lines.line()).strip()

    def _say(self, text: str) -> None:
        self._console.print(Text("\n".join(printable(line) for line in text.split("\n"))), soft_wrap=True)
