"""Two handlers: a desk that posts messages and closes them, and a robot that answers some questions itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import JsonValue

from handlers.auto_approve import AutoApproveHandler
from spectra_bot import Delivered, IInterruptHandler, InterruptRequest, InterruptResponse, RunResult
from tests.chaos.simulation.outside import Outside


class Desk:
    """Puts questions in front of people in the world outside; as reliable as the world lets it be."""

    name = "Desk"

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def handle(self, request: InterruptRequest) -> Delivered:
        outside = self._outside
        outside.asked.append((outside.now(), request.id))
        await self._trouble("before it was posted")
        message = outside.post(request)
        await self._trouble("after it was posted")
        return Delivered({"message": message.number})

    async def stands(self, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> bool:
        await self._trouble("looking")
        return not self._outside.messages[int(str(receipt["message"]))].is_removed

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        await self._trouble("settling")
        self._outside.settle(int(str(receipt["message"])), response)
        await self._trouble("after settling")

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        await self._trouble("concluding")
        self._outside.conclude(int(str(receipt["message"])), result)

    async def _trouble(self, where: str) -> None:
        await self._outside.moment(0.1)
        chance = self._outside.random.random()
        if chance < self._outside.handler_trouble:
            raise ConnectionError(f"the line broke {where}")
        if chance < self._outside.handler_trouble * 1.5:
            await asyncio.sleep(12 * self._outside.random.random())


def handlers(outside: Outside) -> list[IInterruptHandler]:
    """The handlers of a process."""
    return [Desk(outside), AutoApproveHandler(when=lambda request: "robot" in request.data, name="Robot")]
