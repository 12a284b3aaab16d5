"""One approval, twice: a workflow of ours, and a bare Temporal workflow of the same activities, timer and Update."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

from spectra_bot import Delivered, InterruptRequest, InterruptResponse, RunResult, StepContext, Workflow

PLAN = {"service": "web", "changes": ["replicas: 2 -> 3", "image: 1.4.1 -> 1.4.2"]}
REASON = "Deployment plan requires approval"
TIMEOUT = timedelta(days=30)
LEASE = timedelta(seconds=6)
BARE = "BareApproval"

Tell = Callable[[str, str], None]
"""Told the run and the interrupt of each question that is delivered."""


class Desk:
    """A handler that delivers at once, as Slack does, and tells the driver so."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    async def handle(self, request: InterruptRequest) -> Delivered:
        self._tell(request.run_id, request.id)
        return Delivered({"channel": "C0123456789", "ts": request.id})

    async def settle(self, request: InterruptRequest, response: InterruptResponse, receipt: object) -> None: ...

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: object) -> None: ...


def approval() -> Workflow:
    """A step that prepares, and one that asks once, with a deadline."""
    workflow = Workflow("approval")

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, Any]:
        return PLAN

    @workflow.step(after="plan")
    async def ask(ctx: StepContext) -> dict[str, str | None]:
        response = await ctx.interrupt(
            InterruptRequest(
                reason=REASON,
                data={"plan": ctx.outputs["plan"]},
                options=("approve", "reject", "modify"),
                timeout=TIMEOUT,
            )
        )
        return {"by": response.responder}

    return workflow


class BareActivities:
    """The same work: what a step or a handler does there is an activity here, with the same values."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    @activity.defn(name="bare.plan")
    async def plan(self) -> dict[str, Any]:
        return PLAN

    @activity.defn(name="bare.ask")
    async def ask(self, plan: dict[str, Any]) -> dict[str, Any]:
        return {"reason": REASON, "data": {"plan": plan}, "options": ["approve", "reject", "modify"]}

    @activity.defn(name="bare.deliver")
    async def deliver(self, question: dict[str, Any]) -> dict[str, Any]:
        run_id = activity.info().workflow_id or ""
        self._tell(run_id, run_id)
        return {"channel": "C0123456789", "ts": run_id}

    @activity.defn(name="bare.answered")
    async def answered(self, plan: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {"by": answer["responder"]}

    @activity.defn(name="bare.settle")
    async def settle(self, question: dict[str, Any], answer: dict[str, Any], receipt: dict[str, Any]) -> None: ...

    @activity.defn(name="bare.conclude")
    async def conclude(self, output: dict[str, Any], question: dict[str, Any], receipt: dict[str, Any]) -> None: ...


@workflow.defn(name=BARE)
class BareApproval:
    """What somebody would write who needs this one approval and nothing else."""

    def __init__(self) -> None:
        self._answer: dict[str, Any] | None = None

    @workflow.run
    async def run(self) -> dict[str, Any]:
        """Plan, ask, deliver, wait, go on, settle, conclude."""
        plan = await self._activity("bare.plan")
        question = await self._activity("bare.ask", plan)
        receipt = await self._activity("bare.deliver", question)
        await workflow.wait_condition(lambda: self._answer is not None, timeout=TIMEOUT)
        output, _ = await asyncio.gather(
            self._activity("bare.answered", plan, self._answer),
            self._activity("bare.settle", question, self._answer, receipt),
        )
        await self._activity("bare.conclude", output, question, receipt)
        return output  # type: ignore[no-any-return]

    @workflow.update
    def answer(self, given: dict[str, Any]) -> dict[str, Any]:
        """Store a decision."""
        self._answer = given
        return given

    @answer.validator
    def _judge(self, given: dict[str, Any]) -> None:
        if self._answer is not None:
            raise ValueError("somebody else was first")

    async def _activity(self, name: str, *args: object) -> Any:
        return await workflow.execute_activity(
            name, args=args, start_to_close_timeout=timedelta(days=1), heartbeat_timeout=LEASE
        )
