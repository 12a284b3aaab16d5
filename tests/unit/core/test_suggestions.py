"""What was probably meant by a word that is not known."""

from __future__ import annotations

import pytest

from spectra_bot.suggestions import close_to, did_you_mean


@pytest.mark.parametrize(
    ("word", "meant"),
    [("Pendign", "pending"), ("pend", "pending"), ("runz", "runs"), ("r", None), ("xyz", None), ("", None)],
)
def test_a_close_word_is_suggested_and_a_far_one_is_not(word: str, meant: str | None) -> None:
    assert close_to(word, ["pending", "runs", "retry"]) == meant


def test_a_suggestion_follows_what_was_said() -> None:
    assert did_you_mean("pendign", ["pending"]) == "; did you mean pending?"
    assert did_you_mean("xyz", ["pending"]) == ""
