"""An agent's tools, whose calls are kept and whose questions do not stop the tools beside them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from spectra_bot.agent.progress import AgentProgress
from spectra_bot.agent.recording import APPROVED_CALL, CALL, finished_as, is_decided, recorded_tool
from spectra_bot.context import StepContext
from spectra_bot.interrupts import InterruptException, InterruptRequest

calling: ContextVar[StepContext] = ContextVar("calling")
"""The part of the step that is the tool call under way, whatever the tools have for dependencies."""


class Keeper(Protocol):
    """What the calls of an agent's tools need to know of its run, and tell it."""

    @property
    def progress(self) -> AgentProgress:
        """Shows each call, and what came of it."""

    def part_of(self, ctx: RunContext[Any], call_id: str | None) -> StepContext:
        """The part of the step that is one tool call."""

    def deps_of(self, part: StepContext) -> object:
        """What a tool finds in its dependencies."""

    def must_ask(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Somebody has to look at this call, given as its tool would get it."""

    def knows(self, tools: Mapping[str, ToolsetTool[Any]]) -> None:
        """These are the tools of this iteration."""

    def asked(self, part: StepContext, request: InterruptRequest) -> None:
        """A call asked: it waits, and those beside it go on."""

    def finished(self, seconds: float) -> None:
        """A tool call has come to its end."""


@dataclass
class RecordedTools(WrapperToolset[Any]):
    """All of an agent's tools; each call is an effect of its step."""

    keeper: Keeper

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """Look at what there is, so that edited arguments can be checked."""
        tools = await super().get_tools(ctx)
        self.keeper.knows(tools)
        return tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Call a tool, or take what its call came to.

        Raises:
            CallDeferred: it asked people; an exception of its own would cancel the calls beside it.
        """
        keeper, call_id = self.keeper, ctx.tool_call_id
        part = keeper.part_of(ctx, call_id)
        finished = finished_as(part)
        if finished is None and not ctx.tool_call_approved and _must_ask(keeper, part, name, tool_args):
            raise ApprovalRequired
        own = replace(ctx, deps=keeper.deps_of(part))

        async def call() -> Any:
            calling.set(part)  # for this call only: an effect is a task of its own
            keeper.progress.calls(part.scope, name, tool_args)
            try:
                result = await super(RecordedTools, self).call_tool(name, tool_args, own, tool)
            except (ModelRetry, ToolFailed) as told:
                _refuse_without_answer(part)
                keeper.progress.came_to(part.scope, f"{name} failed", told.message)
                raise
            _refuse_without_answer(part)
            keeper.progress.came_to(part.scope, name, result)
            return result

        try:
            key = finished or (APPROVED_CALL if ctx.tool_call_approved else CALL)
            return await recorded_tool(part, key, call, finished=keeper.finished)
        except InterruptException as question:
            keeper.asked(part, question.request)
            if ctx.tool_call_approved:  # pydantic-ai puts off no call twice; the keeper stops before the next reply
                return None
            raise CallDeferred from question


def _refuse_without_answer(part: StepContext) -> None:
    """A tool that asked has not ended yet, whatever it makes of the exception that asks."""
    if (request := part.first_open) is not None:
        raise InterruptException(request)


def _must_ask(keeper: Keeper, part: StepContext, tool: str, arguments: dict[str, Any]) -> bool:
    return is_decided(part) or keeper.must_ask(tool, arguments)
