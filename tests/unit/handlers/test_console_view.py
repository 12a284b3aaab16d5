from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from handlers.console import question_view
from spectra_bot import InterruptRequest
from tests.unit.handlers.questions import question


def drawn(request: InterruptRequest, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(question_view(request))
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return shown


def test_question_shows_reason_options_run_and_who_may_decide() -> None:
    shown = drawn(question("Ship it?", approvers=("U1", "cli:ada"), deadline=datetime(2030, 1, 2, 3, 4, tzinfo=UTC)))

    for part in ("Ship it?", "deploy · approve", "run r-1", "interrupt i-1", "1  approve", "U1, cli:ada", "2030-01-0"):
        assert part in shown


def test_question_that_is_asked_anew_says_what_changed() -> None:
    scale = question("Scale?", data={"replicas": 3})
    before = question("Scale?", data={"replicas": 2})

    shown = drawn(scale.model_copy(update={"replaces": "i-0", "changed": scale.differences(before)}))

    assert "Asked anew, because it changed; the earlier answer does not count." in shown
    assert "data.replicas: 2 → 3" in shown
    assert "Asked anew" not in drawn(scale)


def test_short_values_stand_in_a_table_and_long_ones_in_panels() -> None:
    shown = drawn(question(data={"env": "prod", "replicas": 3, "dry": False, "plan": {"a": [1, {"b": 2}]}}))

    assert "env       prod" in shown
    assert "replicas  3" in shown
    assert "dry       false" in shown
    assert "┌─ plan" in shown
    assert '"b": 2' in shown


def test_diff_is_shown_line_by_line() -> None:
    shown = drawn(question(data={"diff": "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n"}))

    assert "│ -old" in shown
    assert "│ +new" in shown


def test_secrets_are_masked() -> None:
    shown = drawn(
        question("Token xoxb-1234567890-abc?", data={"password": "hunter2", "plan": {"api_key": "k", "x": 1}})
    )

    assert "hunter2" not in shown
    assert "xoxb-1234567890" not in shown
    assert '"k"' not in shown


@pytest.mark.parametrize("size", [0, 1, 3_000, 300_000])
def test_value_of_any_length_is_shown_or_cut_with_a_notice(size: int) -> None:
    shown = drawn(question(data={"plan": "x" * size}))

    assert ("Cut here" in shown) == (size == 300_000)
    assert len(shown) < 100_000


def test_many_lines_are_cut_with_a_count_of_the_rest() -> None:
    shown = drawn(question(data={"log": "".join(f"line {number}\n" for number in range(1000))}))

    assert "line 399" in shown
    assert "line 400 " not in shown
    assert "601 more lines" in shown or "600 more lines" in shown


@pytest.mark.parametrize("where", ["reason", "key", "value", "long", "nested", "list"])
def test_foreign_text_reaches_the_terminal_as_text_only(where: str) -> None:
    bad = "\x1b]0;owned\x07[bold]not markup[/bold]"
    places: dict[str, dict[str, Any]] = {
        "reason": {},
        "key": {bad: 1},
        "value": {"a": bad},
        "long": {"a": f"{bad}\n{bad}"},
        "nested": {"a": {"b": [{"c": bad}]}},
        "list": {"a": [bad] * 9},
    }

    shown = drawn(question(bad if where == "reason" else "Ship it?", data=places[where]))

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]not markup[/bold]" in shown
