"""What was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def closest(word: str, known: Sequence[str]) -> str:
    """`; did you mean ...?`, or nothing where none comes near."""
    begins = [name for name in known if word and name.lower().startswith(word.lower())]
    close = begins if len(begins) == 1 else difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
