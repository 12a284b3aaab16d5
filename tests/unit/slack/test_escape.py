"""Foreign text pings nobody and breaks nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.slack.escape import code, cut, escaped, escaped_line, name, one_line, strong, value

HOSTILE = st.text(alphabet=st.sampled_from("<>&!@#*_~`|:/ \n\tab\u202e\u200b\x00"), max_size=80)
ANY_TEXT = st.one_of(HOSTILE, st.text(max_size=300))


@given(ANY_TEXT)
def test_escaped_text_holds_no_mark_of_slack(text: str) -> None:
    assert not re.search("[<>]", escaped(text))
    assert re.fullmatch("(?:[^&]|&(?:amp|lt|gt);)*", escaped(text), re.DOTALL)


@given(ANY_TEXT)
def test_inline_code_has_its_two_backticks_and_one_line(text: str) -> None:
    shown = code(text)

    assert shown.count("`") == 2
    assert "\n" not in shown
    assert "<" not in shown


@given(ANY_TEXT)
def test_bold_names_and_values_cannot_be_broken_by_what_they_hold(text: str) -> None:
    for shown in (strong(text), name(text), value(text)):
        inner = shown.strip("*")
        is_code = re.fullmatch("`[^`\n]*`", shown)
        is_link = re.fullmatch("<https?://[^<>|\\s]+>", shown)
        assert is_code or is_link or not re.search("[<>*~`]", inner)


@given(ANY_TEXT, st.integers(min_value=2, max_value=200))
def test_a_line_keeps_to_its_limit(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit
    assert len(escaped_line(text, limit)) <= limit
    assert "\n" not in one_line(text, limit)


@given(st.text(max_size=300), st.integers(min_value=1, max_value=200), st.integers(min_value=1, max_value=20))
def test_a_cut_text_is_the_beginning_of_the_whole_and_counts_the_rest(text: str, limit: int, lines: int) -> None:
    piece = cut(text, limit, lines)

    assert text.startswith(piece.shown)
    assert len(piece.shown) <= limit
    assert piece.shown.count("\n") < lines
    assert len(piece.shown) + piece.left_out == len(text)


def test_a_text_is_cut_at_the_end_of_a_line_where_that_costs_little() -> None:
    assert cut("one line\nand another one", 10).shown == "one line"


@pytest.mark.parametrize("text", ["prod", "v2.4.1", "a_b", "2025-11-23 14:03", "Hello, world!", "50%", "/srv/new"])
def test_a_plain_value_stands_as_it_is(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize("text", ["*x*", "_x_", "~x~", "@here", "#general", ":tada:", " x", "a  *b"])
def test_a_value_with_markup_in_it_becomes_code(text: str) -> None:
    assert value(text).startswith("`")


def test_a_long_word_is_looked_at_once_and_holds_nobody_up() -> None:
    look = "from handlers.slack.escape import value; print(value('a' * 60 + '<'))"

    seen = subprocess.run([sys.executable, "-c", look], timeout=60, check=True, capture_output=True, text=True)

    assert seen.stdout == f"`{'a' * 60}&lt;`\n"


def test_a_web_address_becomes_a_link_that_shows_itself() -> None:
    assert value("https://ci.example.com/1?a=1&b=2") == "<https://ci.example.com/1?a=1&amp;b=2>"
    assert "<" not in value("https://x|Approve")
