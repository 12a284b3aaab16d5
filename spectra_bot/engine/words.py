"""What is said of errors, whatever they are."""

from __future__ import annotations


def text_of(error: BaseException) -> str:
    """What an error says; a foreign one may fail even at that, and what it ended has to be stored all the same."""
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001  it is told in the error's place
        return f"(its text can't be made: {type(second).__name__})"
