"""What people see of an agent at work: its text as it comes, each tool call and what came of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Mapping
from typing import Any

from pydantic_ai.messages import (
    AgentStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolReturn,
)
from pydantic_ai.tools import RunContext
from pydantic_core import to_json, to_jsonable_python

from spectra_bot.context import StepContext
from spectra_bot.redact import redact

EVERY_S = 1.0
"""The text is shown at most so often."""
MAX_TEXT = 500
"""The newest characters of the text, or the first of a call."""
MAX_VALUE = 60
"""The first characters of an argument, on one line: whoever decides about a call is shown all of it."""
MAX_OUTCOME = 200


class AgentProgress:
    """Tells the step's progress. What comes out of the store was shown when it happened, and is not told again."""

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._is_live = False
        self._text = ""
        self._shown = ""
        self._shown_at = 0.0

    def replying(self) -> None:
        """The model is called now."""
        self._is_live, self._text, self._shown = True, "", ""
        self._shown_at = time.monotonic()  # a first word by itself tells nobody anything

    def replied(self) -> None:
        """It has replied."""
        self._is_live = False
        self._show()

    async def stream(self, _ctx: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
        """Take part in a run of the agent as its event stream handler."""
        async for event in events:
            match event:
                case (
                    PartStartEvent(part=TextPart(content=text))
                    | PartDeltaEvent(delta=TextPartDelta(content_delta=text))
                ):
                    self._add(text)

    def calls(self, call: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is called now.

        Args:
            call: tells this call from all others of the step.
        """
        shown = _shown(dict(arguments))
        values = ["…"] if shown is None else [f"{name}={_line(value, MAX_VALUE)}" for name, value in shown.items()]
        self._ctx.progress(text=_cut(f"{tool}({', '.join(values)})", MAX_TEXT), about=call)

    def came_to(self, call: str, tool: str, result: object) -> None:
        """A tool call has ended."""
        told = result.return_value if isinstance(result, ToolReturn) else result
        self._ctx.progress(text=f"{tool}: {_line(_shown(told), MAX_OUTCOME)}", about=call)

    def _add(self, text: str) -> None:
        if self._is_live:
            self._text += text
            if time.monotonic() - self._shown_at >= EVERY_S:
                self._show()

    def _show(self) -> None:
        if self._text != self._shown:
            self._shown, self._shown_at = self._text, time.monotonic()
            self._ctx.progress(text=self._text[-MAX_TEXT:])


def _shown(value: object) -> Any:
    """The value with its secrets masked while their names still tell: whoever shows the text only sees the text."""
    try:
        return redact(to_jsonable_python(value, serialize_unknown=True, bytes_mode="base64"))
    except ValueError:  # what can't be shown was done all the same
        return None


def _line(value: object, most: int) -> str:
    text = value if isinstance(value, str) else to_json(value).decode()
    return _cut(" ".join(text.split()), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
