"""Values as they are stored: what JSON holds, and where what it can't hold stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import BaseModel, JsonValue, SecretStr

from spectra_bot import InterruptRequest, InvalidJsonError, PayloadTooLargeError
from spectra_bot.json_values import copy_of, digest, reveal, to_json_object, to_json_value
from tests.unit.core.runs import STEADY
from tests.unit.core.test_requests import json_values


class Colour(Enum):
    RED = "red"


@dataclass
class Window:
    opens: datetime
    what: object = None


class Plan(BaseModel):
    when: Any
    steps: list[str] = []


MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_value", "stored"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({1: "one", None: "none"}, {"1": "one", "None": "none"}),
        ({"t": MOMENT, "d": timedelta(hours=1)}, {"t": "2026-03-01T12:00:00Z", "d": "PT1H"}),
        ({"e": Colour.RED, "p": Path("/a"), "n": Decimal("1.50")}, {"e": "red", "p": "/a", "n": "1.50"}),
        ({"b": b"text"}, {"b": "text"}),
        ({"s": {"b", "a"}}, None),
        (Window(MOMENT), {"opens": "2026-03-01T12:00:00Z", "what": None}),
        (Plan(when=MOMENT, steps=["a"]), {"when": "2026-03-01T12:00:00Z", "steps": ["a"]}),
        ({"deep": [Plan(when=None)]}, {"deep": [{"when": None, "steps": []}]}),
        ({"secret": SecretStr("hunter2")}, {"secret": "**********"}),
        ({"long": 10**30, "tiny": 5e-324}, {"long": 10**30, "tiny": 5e-324}),
    ],
)
def test_what_pydantic_can_write_is_held_as_json(given_value: object, stored: JsonValue) -> None:
    value = to_json_value(given_value, "data")

    if stored is None:
        assert sorted(value["s"]) == ["a", "b"]  # type: ignore[index, call-overload, arg-type]  # a dict of a list
    else:
        assert value == stored


class Unwritable:
    """Nothing that JSON knows."""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"plan": {"when": Unwritable()}}, "data.plan.when: Unwritable is not JSON"),
        ({"plan": [1, {"when": Unwritable()}]}, "data.plan[1].when: Unwritable is not JSON"),
        ({"plan": Plan(when=Unwritable())}, "data.plan.when: Unwritable is not JSON"),
        ({"plan": Window(MOMENT, Unwritable())}, "data.plan.what: Unwritable is not JSON"),
        ({"plan": Window}, "data.plan: type is not JSON"),
        ({"plan": (1, float("nan"))}, "data.plan[1]: nan is not JSON"),
        ({"plan": Window(MOMENT, float("-inf"))}, "data.plan.what: -inf is not JSON"),
        ({"plan": {Unwritable()}}, "data.plan[0]: Unwritable is not JSON"),
        ({"plan": "\ud800"}, "data.plan: '\\ud800' is not Unicode text"),
        ({"plan": b"\xff"}, "data.plan: bytes is not JSON"),
        ({"plan": {Unwritable(): 1}}, "data.plan: a key of it is Unwritable, and JSON's keys are text"),
        ({"plan": {b"\xff": 1}}, "data.plan: its key b'\\xff' is not Unicode text"),
        ({"plan": [{"\ud800": 1}]}, "data.plan[0]: its key '\\ud800' is not Unicode text"),
        ([1], "data: a JSON object is needed, not list"),
        (None, "data: a JSON object is needed, not NoneType"),
    ],
)
def test_what_json_can_not_hold_is_named_by_its_path(value: Any, said: str) -> None:
    with pytest.raises(InvalidJsonError) as refused:
        InterruptRequest(reason="Ship it?", data=value)

    assert str(refused.value) == said
    assert refused.value.path == said.partition(":")[0]


def test_a_structure_that_contains_itself_is_named_by_its_path() -> None:
    plan: dict[str, Any] = {"steps": []}
    plan["steps"].append(plan)

    with pytest.raises(InvalidJsonError, match=r"data.plan.steps\[0\]: it contains itself"):
        InterruptRequest(reason="Ship it?", data={"plan": plan})


@pytest.mark.parametrize("depth", [230, 300, 5000])
def test_a_structure_that_is_nested_too_deeply_is_told_in_one_line(depth: int) -> None:
    plan: list[Any] = []
    for _ in range(depth):
        plan = [plan]

    with pytest.raises(InvalidJsonError) as refused:
        InterruptRequest(reason="Ship it?", data={"plan": plan})

    assert str(refused.value) == "data: it is nested too deeply"


def test_a_value_past_the_limit_is_told_with_its_name_its_size_and_the_limit() -> None:
    with pytest.raises(PayloadTooLargeError) as refused:
        to_json_value("x" * 100, "output of plan", limit=50)

    assert (refused.value.name, refused.value.size, refused.value.limit) == ("output of plan", 102, 50)
    assert "output of plan is 102 bytes and the limit is 50" in str(refused.value)


@STEADY
@given(json_values)
def test_json_is_held_as_it_is(value: JsonValue) -> None:
    assert to_json_value(value, "data") == value
    assert to_json_object({"v": value}, "data") == {"v": value}


@STEADY
@given(json_values)
def test_a_copy_is_equal_and_shares_nothing(value: JsonValue) -> None:
    copied = copy_of(value)

    assert copied == value
    if isinstance(value, list | dict):
        assert copied is not value


@STEADY
@given(json_values)
def test_equal_values_have_equal_digests(value: JsonValue) -> None:
    def turned_round(one: JsonValue) -> JsonValue:
        if isinstance(one, dict):
            return {key: turned_round(item) for key, item in reversed(one.items())}
        return [turned_round(item) for item in one] if isinstance(one, list) else one

    assert digest(turned_round(value)) == digest(value)
    assert digest([value]) != digest(value)


def test_secrets_are_in_the_clear_only_for_the_store() -> None:
    class Login(BaseModel):
        user: str
        password: SecretStr

    revealed = reveal({"login": [Login(user="ada", password=SecretStr("hunter2"))]})

    assert revealed == {"login": [{"user": "ada", "password": "hunter2"}]}
