"""A prompt in the terminal, and how a question looks there."""

from handlers.console.handler import ConsoleHandler
from handlers.console.lines import LineReader, TerminalLines, cli_identity
from handlers.console.view import question_view

__all__ = ["ConsoleHandler", "LineReader", "TerminalLines", "cli_identity", "question_view"]
