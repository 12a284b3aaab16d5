"""A step that is an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from pydantic_ai import Agent

from spectra_bot.agent.approvals import NeedsApproval
from spectra_bot.agent.errors import AgentStoppedError
from spectra_bot.agent.limits import AgentLimits
from spectra_bot.agent.run import run_agent
from spectra_bot.context import StepContext
from spectra_bot.errors import DefinitionError
from spectra_bot.steps import Step, StepResult

Text = str | Callable[[StepContext], str]


class AgentStep(Step):
    """A step that runs a pydantic-ai agent; its output is the agent's, and it stops whenever the agent asks.

    Tools find the step's context in their dependencies (`RunContext[StepContext]`), with keys of their own. A tool
    that asks runs again from its first line with the answer, as a step does; put its effects into `ctx.deps.once`.

    Args:
        prompt: what the agent is told, or a function of the context that words it.
        instructions: beside the agent's own.
        deps: makes the tools' dependencies from their context, where they need more than that.
        needs_approval: asked about each call of a tool, with its name and arguments; true has people decide.
        approvers: who may decide about calls and limits, as in an `InterruptRequest`.
        timeout: how long these questions wait; a call that nobody decided about is refused, and the model told so.
        model: used instead of the agent's own; or a function of the context that makes one for this execution, whose
            connections are closed behind it.
        stream: show the model's text as it comes; False for a model that can't stream.
    """

    def __init__(
        self,
        agent: Agent[Any, Any],
        prompt: Text,
        *,
        instructions: Text | None = None,
        deps: Callable[[StepContext], object] | None = None,
        needs_approval: NeedsApproval | None = None,
        limits: AgentLimits | None = None,
        approvers: Iterable[str] = (),
        timeout: timedelta | None = None,
        channel: str | None = None,
        model: Any = None,
        stream: bool = True,
    ) -> None:
        if isinstance(approvers, str):
            raise DefinitionError(f"an agent's approvers is a list of ids, not one id: {approvers!r}")
        self._agent = agent
        self._prompt = prompt
        self._instructions = instructions
        self._deps = deps
        self._needs_approval = needs_approval
        self._limits = limits
        self._ask = {"approvers": tuple(approvers), "timeout": timeout, "channel": channel}
        self._model = model
        self._stream = stream

    async def execute(self, ctx: StepContext) -> StepResult:
        """Run the agent until it has an output or asks."""
        async with AsyncExitStack() as stack:
            model = self._model
            if callable(model):
                model = await stack.enter_async_context(model(ctx))
            try:
                answer = await run_agent(
                    self._agent,
                    _worded(self._prompt, ctx),
                    ctx,
                    instructions=None if self._instructions is None else _worded(self._instructions, ctx),
                    deps=self._deps,
                    needs_approval=self._needs_approval,
                    limits=self._limits,
                    ask=self._ask,
                    model=model,
                    stream=self._stream,
                )
            except AgentStoppedError as stopped:
                return StepResult.failed(str(stopped))
        return StepResult.completed(answer.output)


def _worded(text: Text, ctx: StepContext) -> str:
    return text if isinstance(text, str) else text(ctx)
