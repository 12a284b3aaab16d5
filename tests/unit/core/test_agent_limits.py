"""What an agent may spend: each kind of limit is reached by what it is about, and moves on by as much again."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart

from spectra_bot import DefinitionError
from spectra_bot.agent import AgentLimits, Spent


@pytest.mark.parametrize("limit", [{"iterations": 0}, {"cost": -1.0}, {"seconds": 0.0}])
def test_limit_of_nothing_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=f"the limit of an agent's {next(iter(limit))} is"):
        AgentLimits(**limit)


@pytest.mark.parametrize(
    ("limits", "below", "at", "said"),
    [
        (AgentLimits(iterations=1), Spent(), Spent(iterations=1), "1 iteration"),
        (AgentLimits(tool_calls=3), Spent(tool_calls=2), Spent(tool_calls=3), "3 tool calls"),
        (AgentLimits(tokens=1000), Spent(input_tokens=999), Spent(input_tokens=600, output_tokens=400), "1,000 tokens"),
        (AgentLimits(cost=0.5), Spent(cost=Decimal("0.49")), Spent(cost=Decimal("0.5")), "$0.5"),
        (AgentLimits(seconds=60), Spent(seconds=59.9), Spent(seconds=60.0), "60 seconds"),
    ],
    ids=["iterations", "tool calls", "tokens", "cost", "seconds"],
)
def test_limit_is_reached_by_what_it_is_about(limits: AgentLimits, below: Spent, at: Spent, said: str) -> None:
    assert limits.reached(below, 0) is None
    assert limits.reached(at, 0) == said
    assert limits.reached(at, 1) is None


def test_reply_of_unknown_price_counts_nothing_in_the_cost() -> None:
    limits, reply = AgentLimits(cost=0.02), ModelResponse(parts=[TextPart("Over.")])

    known = Spent().with_reply(reply, 1.0, Decimal("0.01"))
    unknown = known.with_reply(reply, 1.0, None)

    assert limits.reached(unknown, 0) is None
    assert limits.reached(unknown.with_reply(reply, 1.0, Decimal("0.01")), 0) == "$0.02"


def test_time_of_calls_that_go_on_side_by_side_is_counted_once() -> None:
    replied = Spent(iterations=1, seconds=0.1)

    orders = [(0.1, 0.7, 0.2), (0.7, 0.2, 0.1)]
    spent = [reduce(lambda so_far, s: so_far.with_tool_call(s, since=replied), order, replied) for order in orders]

    assert spent == [Spent(iterations=1, tool_calls=3, seconds=0.1 + 0.7)] * 2
