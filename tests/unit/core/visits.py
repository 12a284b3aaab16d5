"""A visit of a step, execution by execution, and what it may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from spectra_bot import (
    InterruptException,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    StepContext,
)
from spectra_bot.context import Question, Slot
from spectra_bot.json_values import to_json_value
from tests.unit.core.runs import NOW

SHIP = InterruptRequest(reason="Ship it?", data={"plan": ["a"]})

TELL = InterruptRequest(reason="Tell everybody?")

PIN = InterruptRequest(reason="Which PIN?", options=("enter",))


class Visit:
    """One visit of a step over its executions: what it asks is stored, and answered when a test says so."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields
        self.questions: dict[Slot, Question] = {}
        self.results: dict[str, JsonValue] = {}
        self.now = NOW
        self.asked = 0

    def execution(self) -> StepContext:
        return StepContext(
            **{"run_id": "r-1", "step": "ask", "inputs": {}, "outputs": {}, **self._fields},
            questions=dict(self.questions),
            stored=dict(self.results),
            effects=self,
        )

    def park(self, ctx: StepContext) -> None:
        """Store what an execution asked, as the machine does."""
        for new in ctx.asked:
            self.asked += 1
            stamps = {"id": f"i-{self.asked}", "replaces": new.replaces, "changed": new.changed}
            request = new.request.model_copy(update=stamps)
            self.questions[new.slot] = Question(slot=new.slot, request=request, response=None, changes=new.changes)

    def answer(
        self, slot: Slot, option: str | None = "approve", status: InterruptStatus = InterruptStatus.APPROVED
    ) -> None:
        question = self.questions[slot]
        self.now += timedelta(seconds=1)
        response = InterruptResponse(
            status=status, option=option, responded_at=self.now, interrupt_id=question.request.id
        )
        over = sum(other.response is not None for other in self.questions.values())
        self.questions[slot] = Question(
            slot=slot, request=question.request, response=response, changes=question.changes, over_before=over
        )

    async def ask(self, request: InterruptRequest, key: str | None = None) -> Slot:
        """Have one execution await a question for the first time; the slot that it got."""
        ctx = self.execution()
        with pytest.raises(InterruptException):
            await ctx.interrupt(request, key=key)
        self.park(ctx)
        return ctx.asked[-1].slot

    async def once(self, key: str, fn: Callable[[], object]) -> JsonValue:
        value = fn()
        self.results[key] = to_json_value(await value if isinstance(value, Awaitable) else value, key)
        return self.results[key]

    def report(self, fraction: float | None, text: str, about: str | None) -> None:
        self.results["progress"] = [fraction, text]
