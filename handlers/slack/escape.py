"""Foreign text made harmless: what a plan, a reason or a name holds pings nobody and breaks nothing. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spectra_bot import printable

# Each character can match in one way only, so that a text which is not tame is known to be so in one pass.
_TAME = re.compile(r"(?:[^\W_]|(?<=[^\W_])_+(?=[^\W_])|[ .,;:/+\-()!?%$€=^'\"|\[\]{}])*+")
_EMOJI = re.compile(r":[\w+'-]+:")
_LONE_ADDRESS = re.compile(r"https?://[^\s<>|`\"'*~]{1,500}")


def escaped(text: str) -> str:
    """The text for where Slack parses markup: no mention, link or date can stand in it.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, with an ellipsis where it was cut."""
    line = " ".join(printable(text[: limit * 4]).split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1].rstrip() + "…"


def escaped_line(text: str, limit: int) -> str:
    """The text on one line, escaped, of at most `limit` characters after that."""
    line = escaped(one_line(text, limit))
    if len(line) <= limit:
        return line
    whole = re.findall(r"&(?:amp|lt|gt);|.", line)
    size, kept = 1, []
    for piece in whole:
        size += len(piece)
        if size > limit:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def code(text: str, limit: int = 120) -> str:
    """The text as inline code, in which no other markup counts."""
    line = one_line(text, limit).replace("`", "\u02cb")
    return f"`{escaped(line)}`" if line else "`(empty)`"


def is_tame(text: str) -> bool:
    """Nothing in the text could be taken for markup, for a mention or for an emoji."""
    return bool(_TAME.fullmatch(text)) and not _EMOJI.search(text) and text == text.strip()


def strong(text: str, limit: int = 120) -> str:
    """The text in bold; as code where bold could be broken by what it holds."""
    return f"*{text}*" if text and is_tame(text) and len(text) <= limit else code(text, limit)


def name(text: str, limit: int = 80) -> str:
    """A name as it stands; as code where it holds more than words."""
    return text if text and is_tame(text) and len(text) <= limit else code(text, limit)


def is_address(text: str) -> bool:
    """The text is a web address and nothing else."""
    return bool(_LONE_ADDRESS.fullmatch(text)) and printable(text) == text


def value(text: str, limit: int = 120) -> str:
    """A short value: as it stands, as the link that it is, or as code."""
    return f"<{escaped(text)}>" if is_address(text) else name(text, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The part of a text that is shown, and how much of it that is."""

    shown: str
    length: int
    """Characters of the whole text."""

    @property
    def left_out(self) -> int:
        """Characters that are not shown."""
        return self.length - len(self.shown)


def cut(text: str, limit: int, lines: int = 10_000) -> Cut:
    """The first `limit` characters and `lines` lines at most; at a line's end, where that costs less than a third."""
    if len(text) <= limit and text.count("\n") < lines:
        return Cut(shown=text, length=len(text))
    end = min(limit, len(text))
    line_end = text.rfind("\n", 0, end + 1)
    end = line_end if line_end >= end * 2 // 3 else end
    shown = "\n".join(text[:end].split("\n", lines)[:lines])
    return Cut(shown=shown, length=len(text))
