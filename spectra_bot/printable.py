"""Foreign text made safe to look at: what could steer a terminal, or hide from the reader, is made visible."""

from __future__ import annotations

import re

# Control characters (an escape sequence could redraw the question), line separators that are not newlines, characters
# without a width, halves of a pair, and the direction marks that make text read differently from what it is:
# https://trojansource.codes/ U+200D stays: it joins the parts of one emoji.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with what a terminal would act on, and what a reader would not see, written as escapes.

    Where every line ends with a carriage return and a newline, as on Windows, the returns are left out; where only some
    do, they are written out, for then they are a difference.
    """
    if "\r" in text and text.count("\r\n") == text.count("\n") == text.count("\r"):
        text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
