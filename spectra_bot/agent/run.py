"""Runs a pydantic-ai agent inside a step, so that it survives what its process does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic_ai
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.usage import UsageLimits

from spectra_bot.agent.approvals import NeedsApproval
from spectra_bot.agent.keeper import AgentKeeper
from spectra_bot.agent.limits import AgentLimits, Spent
from spectra_bot.context import StepContext

Output = TypeVar("Output")
NO_LIMITS = UsageLimits(request_limit=None)
"""Ours hold instead, because they can ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer(Generic[Output]):
    """What an agent came to."""

    output: Output
    spent: Spent
    messages: Sequence[ModelMessage]


async def run_agent(
    agent: Agent[Any, Output],
    prompt: str | None,
    ctx: StepContext,
    *,
    name: str | None = None,
    deps: Callable[[StepContext], object] | None = None,
    instructions: str | None = None,
    needs_approval: NeedsApproval | None = None,
    limits: AgentLimits | None = None,
    ask: Mapping[str, Any] | None = None,
    model: Any = None,
    stream: bool = True,
) -> AgentAnswer[Output]:
    """Run an agent as a part of a step; also from inside another agent's tool, with that tool's context.

    Every reply of the model and every finished tool call is stored before the agent goes on. When it asks, the step
    stops, and a re-run goes on from there.

    Args:
        name: tells apart the agents that one step or tool runs; the agent's own name without one.
        deps: makes what tools find in their dependencies from their context; the context itself without it.
        needs_approval: calls for which it is true are asked about, beside those of tools that require approval.
        ask: `approvers`, `timeout` and `channel` of the questions about calls and limits.
        model: used instead of the agent's own.
        stream: have the model's text come piece by piece, and show it as progress once a second at most.

    Raises:
        InterruptException: people are asked; leave it to the engine.
        AgentLimitError: a limit was reached that does not ask.
        AgentStoppedError: somebody said stop at a limit.
        AgentRunError: what pydantic-ai raises, such as a provider's error after its own retries.
    """
    part = ctx.within(name or agent.name or "agent")
    keeper = AgentKeeper(
        part,
        deps=deps or _itself,
        needs_approval=needs_approval,
        limits=limits or AgentLimits(),
        ask=ask or {},
    )
    pydantic_ai.BANNER_ENABLED = False  # what a terminal shows is about the run
    try:
        result = await agent.run(
            prompt,
            deps=(deps or _itself)(part),
            instructions=instructions,
            model=model,
            usage_limits=NO_LIMITS,
            capabilities=[keeper],
            event_stream_handler=keeper.progress.stream if stream else None,
        )
    except ModelAPIError as error:
        if error.model_name not in error.message:  # a connection that is gone says so, and not whose it was
            error.message = f"the model {error.model_name}: {error.message}"
        raise
    keeper.stop_if_asked()  # an output beside the call that asked is not the end
    return AgentAnswer(output=result.output, spent=keeper.spent, messages=result.all_messages())


def _itself(ctx: StepContext) -> object:
    return ctx
