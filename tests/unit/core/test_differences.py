"""What is told of two JSON values that differ: each field once, shortened, secrets masked."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from spectra_bot.differences import MAX_DIFFERENCES, MAX_SHOWN, differences
from spectra_bot.redact import MASK
from tests.unit.core.runs import STEADY

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)
objects = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


def told(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> list[str]:
    return [str(difference) for difference in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3, "d": 2}}}, ["a.b.c: 1 → 3"]),
        ({"a": 1}, {"b": None}, ["a: 1 (gone)", "b: null (new)"]),
        ({"a": 1}, {"a": 1.0}, ["a: 1 → 1.0"]),
        ({"a": True}, {"a": 1}, ["a: true → 1"]),
        ({"a": "x"}, {"a": ["x"]}, ['a: x → ["x"]']),
        ({"a": ["x", "z"]}, {"a": ["x", "y", "z"]}, ["a[1]: y (new)"]),
        ({"a": ["x", "y", "z"]}, {"a": ["x", "z"]}, ["a[1]: y (gone)"]),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 5}]}, ["a[1].n: 2 → 5"]),
        ({"a": "one\ntwo\nthree"}, {"a": "one\n2\nthree"}, ["a: two → 2"]),
        ({"a": "one\ntwo"}, {"a": "one\ntwo\nthree"}, ["a:  → three"]),
    ],
)
def test_each_field_that_differs_is_told_by_its_path(
    before: dict[str, JsonValue], after: dict[str, JsonValue], said: list[str]
) -> None:
    assert told(before, after) == said


def test_a_secret_is_told_to_differ_and_not_shown() -> None:
    before: dict[str, JsonValue] = {"db": {"password": "hunter2", "user": "ada"}, "log": "key\nxoxb-12345678-abcdefgh"}
    after: dict[str, JsonValue] = {"db": {"password": "hunter3", "user": "ada"}, "log": "key\nxoxb-12345678-ijklmnop"}

    assert told(before, after) == [f"db.password: {MASK} → {MASK}", "log"]


def test_a_long_value_is_cut_and_a_field_with_many_differences_is_told_as_one() -> None:
    before: dict[str, JsonValue] = {"long": "x" * 9_000, "many": {str(n): 0 for n in range(MAX_DIFFERENCES + 1)}}
    after: dict[str, JsonValue] = {"long": "y" * 9_000, "many": {str(n): 1 for n in range(MAX_DIFFERENCES + 1)}}

    found = differences(before, after)

    assert [difference.path for difference in found] == ["long", "many"]
    assert all(len(difference.before or "") <= MAX_SHOWN for difference in found)


def test_long_sequences_without_anything_in_common_are_told_as_one_without_matching_their_items() -> None:
    numbers: dict[str, JsonValue] = {"a": list(range(50_000)), "b": "\n".join(map(str, range(50_000)))}
    others: dict[str, JsonValue] = {"a": list(range(50_000, 100_000)), "b": "\n".join(map(str, range(50_000, 100_000)))}

    assert [difference.path for difference in differences(numbers, others)] == ["a", "b"]


def test_a_field_full_of_differences_is_not_compared_to_its_end() -> None:
    chance = random.Random(1)  # noqa: S311  it hides nothing
    rows: list[list[JsonValue]] = [[chance.choice("ab") for _ in range(500)] for _ in range(2_000)]
    before: dict[str, JsonValue] = {"rows": [["before", *row] for row in rows[:1_000]]}
    after: dict[str, JsonValue] = {"rows": [["after", *row] for row in rows[1_000:]]}
    began = time.process_time()

    assert [difference.path for difference in differences(before, after)] == ["rows"]

    assert time.process_time() - began < 10


@STEADY
@given(objects, objects)
def test_values_differ_where_and_only_where_their_json_does(
    before: dict[str, JsonValue], after: dict[str, JsonValue]
) -> None:
    is_same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)

    assert (differences(before, after) == ()) == is_same
    assert all(difference.path for difference in differences(before, after)) or "" in {**before, **after}
