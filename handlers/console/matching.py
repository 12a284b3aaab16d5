"""Which option a person means: by number, word, or the beginning of a word."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from spectra_bot import InterruptOption


def match_option(options: Sequence[InterruptOption], typed: str) -> InterruptOption | str:
    """The option that is meant, or what to tell someone whose word fits none or several."""
    word = typed.strip().casefold()
    for exact in (
        [option for option in options if option.id == typed.strip()],
        [option for option in options if word in (option.id.casefold(), option.label.casefold())],
    ):
        if len(exact) == 1:
            return exact[0]
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(options):
        return options[int(word) - 1]
    begins = [
        option
        for option in options
        if option.id.casefold().startswith(word) or option.label.casefold().startswith(word)
    ]
    if len(begins) == 1:
        return begins[0]
    if begins:
        return f"{typed!r} could be {' or '.join(option.id for option in begins)}; type more of it."
    close = difflib.get_close_matches(word, [option.id.casefold() for option in options], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{typed!r} is not one of {', '.join(option.id for option in options)}{hint}"
