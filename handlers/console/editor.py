"""The editor of a terminal, for a text of several lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import click

Edit = Callable[[str], Awaitable[str]]
"""The text as somebody leaves it; an EditorError where there is no editor."""


class EditorError(Exception):
    """No editor could be opened, or it failed."""


async def open_editor(text: str) -> str:
    """The text as somebody leaves it in the editor that VISUAL or EDITOR names, or else in one that is there.

    Raises:
        EditorError: there is none, or it failed.
    """
    try:
        edited = await asyncio.to_thread(click.edit, text)
    except (click.ClickException, UnicodeError) as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise EditorError(said) from error
    return text if edited is None else edited
