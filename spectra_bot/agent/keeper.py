"""Stands between an agent and the world: what it has done is kept, and what it may not do by itself is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, RunContext, ToolApproved, ToolDenied
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import to_jsonable_python

from spectra_bot.agent.approvals import NeedsApproval, ProposedCall, Verdict, decide
from spectra_bot.agent.editing import Arguments
from spectra_bot.agent.errors import AgentLimitError, AgentStoppedError
from spectra_bot.agent.limits import AgentLimits, Spent
from spectra_bot.agent.progress import AgentProgress
from spectra_bot.agent.recording import CALL, finished_as, recorded_decision, recorded_reply
from spectra_bot.agent.tools import RecordedTools
from spectra_bot.context import StepContext
from spectra_bot.errors import OnceKeyError
from spectra_bot.interrupts import InterruptException, InterruptRequest
from spectra_bot.options import InterruptOption, InterruptStatus

MORE, STOP = "more", "stop"


class AgentKeeper(AbstractCapability[Any]):
    """One run of an agent, as pydantic-ai lets others take part in it.

    Args:
        ctx: the part of the step that is this agent.
        deps: makes a tool's dependencies from its context.
    """

    def __init__(
        self,
        ctx: StepContext,
        *,
        deps: Callable[[StepContext], object],
        needs_approval: NeedsApproval | None,
        limits: AgentLimits,
        ask: Mapping[str, Any],
    ) -> None:
        self.spent = Spent()
        self.progress = AgentProgress(ctx)
        self._ctx = ctx
        self._deps = deps
        self._needs_approval = needs_approval
        self._limits = limits
        self._ask = ask
        self._grants = 0
        self._said = ""
        """The text beside the newest calls."""
        self._spent_then = Spent()
        """When the newest calls were made: the same in each re-run, however many of them have finished since."""
        self._tools: dict[str, ToolsetTool[Any]] = {}
        self._open: InterruptRequest | None = None
        """What was asked first."""

    def get_ordering(self) -> CapabilityOrdering:
        """Outermost: what is replayed is not seen by anybody further in."""
        return CapabilityOrdering(position="outermost")

    async def wrap_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: Callable[..., Any]
    ) -> ModelResponse:
        """Have the model reply, or take its stored reply."""
        self.stop_if_asked()
        await self._stay_within_limits()
        key = f"reply {self.spent.iterations}"

        async def call() -> ModelResponse:
            self.progress.replying()
            reply: ModelResponse = await handler(request_context)
            self.progress.replied()
            return reply

        try:
            reply, seconds, price = await recorded_reply(self._ctx, key, call)
        except OnceKeyError as error:
            named = self._ctx.scope.rstrip("/").rpartition("/")[2]
            problem = f"was called by two agents named {named!r}; give each run_agent a name= of its own"
            raise OnceKeyError(error.key, problem) from error
        self.spent = self._spent_then = self.spent.with_reply(reply, seconds, price)
        self._said = "\n".join(part.content for part in reply.parts if isinstance(part, TextPart)).strip()
        return reply

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        """Have each tool call kept."""
        return RecordedTools(toolset, keeper=self)

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[Any], *, requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        """Ask about the calls that need approval; the tools that ran beside them have finished by now.

        Raises:
            InterruptException: somebody has to decide, about these calls or about what a tool asked.
        """
        approvals: dict[str, ToolApproved | ToolDenied] = {}
        for call in requests.approvals:
            try:
                approvals[call.tool_call_id] = await self._decided(ctx, call)
            except InterruptException as question:
                self.asked(self._approval_of(ctx, call), question.request)
        self.stop_if_asked()
        return requests.build_results(approvals=approvals) if approvals else None

    def part_of(self, ctx: RunContext[Any], call_id: str | None, *, aspect: str = "") -> StepContext:
        """The part of the step that is one tool call; the iteration tells apart ids that a provider uses again.

        What the calls of one reply ask belongs together.

        Args:
            aspect: what is about the call and not of it, and has answers that its tool must not take for its own.
        """
        reply = f"{self._ctx.scope}reply {ctx.run_step}"
        return self._ctx.within(f"{ctx.run_step}.{call_id}{aspect}", group=reply)

    def deps_of(self, part: StepContext) -> object:
        """What a tool finds in its dependencies."""
        return self._deps(part)

    def must_ask(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """The rule of the step wants somebody to look at this call, given as its tool would get it."""
        return self._needs_approval is not None and self._needs_approval(tool, to_jsonable_python(dict(arguments)))

    def knows(self, tools: Mapping[str, ToolsetTool[Any]]) -> None:
        """These are the tools of this iteration."""
        self._tools.update(tools)

    def finished(self, seconds: float) -> None:
        """A tool call has come to its end."""
        self.spent = self.spent.with_tool_call(seconds, since=self._spent_then)

    def asked(self, part: StepContext, request: InterruptRequest) -> None:
        """A call asked, or is asked about: it waits, and those beside it go on."""
        part.raised(request)
        self._open = self._open or part.first_open or request

    def stop_if_asked(self) -> None:
        """Go no further than those beside the calls that wait.

        Raises:
            InterruptException: somebody has to decide first.
        """
        if self._open is not None:
            raise InterruptException(self._open)

    async def _decided(self, ctx: RunContext[Any], call: ToolCallPart) -> ToolApproved | ToolDenied:
        part = self.part_of(ctx, call.tool_call_id)
        if finished_as(part) is not None:
            return ToolApproved()
        proposed = ProposedCall(
            tool=call.tool_name, arguments=call.args_as_dict(), why=self._said, spent=self._spent_then
        )
        tool = self._tools[call.tool_name]
        # The rule lets an edited call pass only where the rule had it asked about: a tool may want that by itself.
        by_rule = tool.tool_def.kind != "unapproved" and f"{part.scope}{CALL}" not in part.stored

        def judge(arguments: Arguments) -> Verdict:
            try:
                checked = tool.args_validator.validate_python(arguments)
            except ValidationError as error:
                said = (f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors())
                return Verdict(problem="; ".join(said))
            try:
                return Verdict(needs_approval=not by_rule or self.must_ask(call.tool_name, checked))
            except Exception as error:  # noqa: BLE001  a rule that fails is no reason to lose the run, or to let it pass
                return Verdict(problem=f"needs_approval can't judge it: {type(error).__name__}: {error}")

        approval = self._approval_of(ctx, call)
        return await recorded_decision(part, lambda: decide(approval, proposed, judge=judge, ask=self._ask))

    def _approval_of(self, ctx: RunContext[Any], call: ToolCallPart) -> StepContext:
        return self.part_of(ctx, call.tool_call_id, aspect=" approval")

    async def _stay_within_limits(self) -> None:
        """Ask for more at a limit, or stop there."""
        while (limit := self._limits.reached(self.spent, self._grants)) is not None:
            if self._limits.at_limit == "fail":
                raise AgentLimitError(limit)
            response = await self._ctx.interrupt(
                InterruptRequest(
                    reason=f"The agent has reached its limit of {limit}. May it go on?",
                    data={"so far": self.spent.in_words()},
                    options=(
                        InterruptOption(MORE, "As much again"),
                        InterruptOption(STOP, style="danger", status=InterruptStatus.REJECTED),  # a retry asks again
                    ),
                    **self._ask,
                ),
                key=f"limit {self._grants}",
            )
            if response.option != MORE:
                raise AgentStoppedError(limit, response.responder, response.notes)
            self._grants += 1
