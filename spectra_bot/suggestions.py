"""What was probably meant by a word that is not known: one rule for commands, names and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def close_to(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: the only one that begins so, else the nearest, else None."""
    by_lower = {name.lower(): name for name in known}
    begins = [name for name in by_lower if word and name.startswith(word.lower())]
    found = begins if len(begins) == 1 else get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing where none comes near."""
    meant = close_to(word, known)
    return f"; did you mean {meant}?" if meant else ""
