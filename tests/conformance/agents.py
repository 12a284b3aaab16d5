"""An agent whose model follows a script, and what it does to the world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from pydantic_ai import Agent, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from spectra_bot import StepContext, Workflow
from spectra_bot.agent import AgentStep

Turn = Sequence[ToolCallPart] | str
"""The calls of one reply, or the text with which the agent ends."""


class Script:
    """A model that replies as written, and counts."""

    def __init__(self, *turns: Turn) -> None:
        self.replies = 0
        self.seen: list[list[ModelMessage]] = []
        self.hold: asyncio.Event | None = None
        """Where it is set, the model does not reply before it is."""
        self.called = asyncio.Event()
        self.stopped = asyncio.Event()
        self._turns = turns

    async def __call__(self, messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        self.replies += 1
        self.seen.append(messages)
        self.called.set()
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        turn = self._turns[sum(isinstance(message, ModelResponse) for message in messages)]
        if isinstance(turn, str):
            return ModelResponse(parts=[TextPart(turn)])
        return ModelResponse(parts=[TextPart("Because."), *turn])

    async def stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        """The same, in pieces."""
        reply = await self(messages, info)
        for number, part in enumerate(reply.parts):
            if isinstance(part, TextPart):
                for letter in part.content:
                    yield letter
            elif isinstance(part, ToolCallPart):
                yield {
                    number: DeltaToolCall(
                        name=part.tool_name, json_args=part.args_as_json_str(), tool_call_id=part.tool_call_id
                    )
                }

    @property
    def told(self) -> dict[str, Any]:
        """What the model was told last of each call, by its id."""
        return {
            part.tool_call_id: part.content
            for message in self.seen[-1]
            for part in message.parts
            if isinstance(part, ToolReturnPart)
        }


def call(tool: str, id: str, **arguments: object) -> ToolCallPart:  # noqa: A002  pydantic-ai's word
    return ToolCallPart(tool, arguments, id)


def agent_of(script: Script, *tools: Callable[..., Any], guarded: Sequence[str] = ()) -> Agent[StepContext, str]:
    """An agent with these tools; those named in `guarded` need approval."""
    return Agent(
        FunctionModel(script, stream_function=script.stream),
        deps_type=StepContext,
        name="agent",
        tools=[Tool(tool, takes_ctx=True, requires_approval=tool.__name__ in guarded) for tool in tools],
    )


def workflow_of(agent: Agent[Any, Any], **options: Any) -> Workflow:
    workflow = Workflow("agent")
    workflow.add("work", AgentStep(agent, "Do it.", **options))
    return workflow
