"""What an agent has spent, and how much it may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from pydantic_ai.messages import ModelResponse

from spectra_bot.errors import DefinitionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an agent has spent so far; what was replayed from storage counts once."""

    iterations: int = 0
    """Replies of the model."""
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    """In US dollars; None while no reply had a known price."""
    seconds: float = 0.0
    """At work, without the time in which it waited for people; of the calls of one reply the longest counts."""

    @property
    def tokens(self) -> int:
        """Both ways."""
        return self.input_tokens + self.output_tokens

    def with_reply(self, reply: ModelResponse, seconds: float, price: Decimal | None) -> Spent:
        """After one more reply."""
        return Spent(
            iterations=self.iterations + 1,
            tool_calls=self.tool_calls,
            input_tokens=self.input_tokens + reply.usage.input_tokens,
            output_tokens=self.output_tokens + reply.usage.output_tokens,
            cost=self.cost if price is None else (self.cost or Decimal(0)) + price,
            seconds=self.seconds + seconds,
        )

    def with_tool_call(self, seconds: float, *, since: Spent) -> Spent:
        """After one more finished tool call, in whatever order those of one reply finish: they go on side by side.

        Args:
            since: after the reply that made it.
        """
        return replace(self, tool_calls=self.tool_calls + 1, seconds=max(self.seconds, since.seconds + seconds))

    def in_words(self) -> str:
        """For people: `3 iterations, 2 tool calls, 1,234 tokens, $0.02`."""
        words = [
            _counted(self.iterations, "iteration"),
            _counted(self.tool_calls, "tool call"),
            _counted(self.tokens, "token"),
        ]
        if self.cost is not None:
            words.append(f"${self.cost:.2f}" if self.cost >= Decimal("0.01") else f"${self.cost:.4f}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """How much an agent may spend before it asks for more, or fails. None: no limit of that kind.

    A limit is looked at before each call of the model, so that what one reply leads to is not cut off in the middle.
    Who says `more` grants as much again of everything.
    """

    iterations: int | None = 50
    tool_calls: int | None = None
    tokens: int | None = None
    cost: Decimal | float | None = None
    """In US dollars; holds only for models whose price is known."""
    seconds: float | None = None
    """Of each reply its own time and that of its longest call, without the time that people take."""
    at_limit: Literal["ask", "fail"] = "ask"

    def __post_init__(self) -> None:
        for limit in ("iterations", "tool_calls", "tokens", "cost", "seconds"):
            if (most := getattr(self, limit)) is not None and not most > 0:
                raise DefinitionError(f"the limit of an agent's {limit} is {most}; as much again would be none")

    def reached(self, spent: Spent, grants: int) -> str | None:
        """The limit that is reached, in words, after so many grants of as much again."""
        times = grants + 1
        limits: tuple[tuple[int | float | Decimal | None, int | float | Decimal, str], ...] = (
            (self.iterations, spent.iterations, "iteration"),
            (self.tool_calls, spent.tool_calls, "tool call"),
            (self.tokens, spent.tokens, "token"),
            (None if self.cost is None else Decimal(str(self.cost)), spent.cost or Decimal(0), "$"),
            (self.seconds, spent.seconds, "second"),
        )
        for limit, used, unit in limits:
            if limit is not None and used >= limit * times:
                most = limit * times
                return f"${most:,}" if unit == "$" else _counted(most, unit)
        return None


def price_of(reply: ModelResponse) -> Decimal | None:
    """What a reply cost in US dollars; None where its price is not known."""
    try:
        return reply.cost().total_price
    except (LookupError, AssertionError):
        return None


def _counted(number: float | Decimal, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
