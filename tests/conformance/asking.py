"""A workflow that asks once, and a handler that notes what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel, JsonValue

from spectra_bot import (
    Delivered,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    RunResult,
    RunStatus,
    StepContext,
    Workflow,
)


class Inputs(BaseModel):
    env: str
    replicas: int = 2


def approval(**gate: object) -> Workflow:
    workflow = Workflow("approval", inputs=Inputs)

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, int]:
        return {"replicas": ctx.inputs.replicas}

    workflow.add("gate", HumanGateStep("Ship it?", data=lambda ctx: {"plan": ctx.outputs["plan"]}, **gate))  # type: ignore[arg-type]  # a test's own keywords

    @workflow.step
    async def ship(ctx: StepContext) -> str:
        return f"shipped {ctx.outputs['plan']['replicas']}"

    return workflow


class Desk:
    """A handler that notes what it is given; what it answers is set by the test."""

    def __init__(self, name: str, *answers: InterruptResponse | Delivered | Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        self.handled: list[str] = []
        self.settled: list[tuple[str, Mapping[str, JsonValue]]] = []
        self.concluded: list[RunStatus] = []
        self.done = asyncio.Event()
        """A message was settled and a run concluded, which come in either order."""

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered | None:
        self.handled.append(request.reason)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        self.settled.append((response.status, receipt))
        self._look()

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        self.concluded.append(result.status)
        self._look()

    def _look(self) -> None:
        if self.settled and self.concluded:
            self.done.set()
