"""Foreign text is safe to look at."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectra_bot import printable

HOSTILE = st.text(alphabet=st.sampled_from("ab \n\t\r\x00\x1b\x9b\u00ad\u200b\u202e\u2066\ufeff\udcff"), max_size=80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("approve\rreject", "approve\\rreject"),
        ("\u202eevil", "\\u202eevil"),
        ("\x9b1A", "\\x9b1A"),
        ("lone \udcff", "lone \\udcff"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("-a\r\n+a\n", "-a\\r\n+a\n"),
        ("in\u00advisible\u200b", "in\\xadvisible\\u200b"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("👩\u200d💻 Grüße", "👩\u200d💻 Grüße"),
    ],
)
def test_what_acts_on_a_terminal_or_hides_from_a_reader_is_written_out(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.one_of(HOSTILE, st.text(max_size=300)))
def test_nothing_unseen_and_nothing_that_turns_the_order_round_is_left(text: str) -> None:
    shown = printable(text)

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert printable(shown) == shown
