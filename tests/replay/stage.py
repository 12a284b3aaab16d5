"""Where a scenario plays: a Temporal server, a run of its own, and handlers that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from spectra_bot import (
    Delivered,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    RunResult,
    RunStatus,
    TemporalOptions,
    Workflow,
    WorkflowRunner,
)
from tests.temporal_server import TemporalServer

LEASE_S = 2.0
BY = "cli:ada"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One scenario's place: the run, and all that works on it, are named as the scenario."""

    temporal: TemporalServer
    run_id: str

    def bot(self, *workflows: Workflow, handlers: Sequence[IInterruptHandler] = ()) -> WorkflowRunner:
        """A process that does everything."""
        return WorkflowRunner(workflows=workflows, handlers=handlers, temporal=self._options, lease_s=LEASE_S)

    def caller(self, *workflows: Workflow) -> WorkflowRunner:
        """A process that does not work."""
        return WorkflowRunner(workflows=workflows, temporal=self._options, recover=False, lease_s=LEASE_S)

    @property
    def _options(self) -> TemporalOptions:
        return TemporalOptions(address=self.temporal.address, task_queue=self.run_id)


@dataclass(slots=True, kw_only=True)
class Desk:
    """Tells people of each question, of its end and of the run's; fails, hangs or answers where it is told to."""

    name: str = "desk"
    failures: int = 0
    hangs: bool = False
    answers: str | None = None
    may_conclude: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.may_conclude.set()

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered:
        self.told.append(request.id)
        if len(self.told) <= self.failures:
            raise ConnectionError("no way to people just now")
        if self.hangs:
            await asyncio.Event().wait()
        if self.answers is not None:
            return request.answer(self.answers)
        return Delivered({"message": len(self.told)})

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        self.told.append(f"{request.id} {response.status}")

    async def conclude(self, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> None:
        await self.may_conclude.wait()
        self.told.append(result.status)


@dataclass(slots=True, kw_only=True)
class WatchedDesk(Desk):
    """A desk that is asked whether its messages still stand."""

    stood: bool = True

    async def stands(self, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> bool:
        return self.stood

    async def handle_again(self, request: InterruptRequest, lost: Mapping[str, JsonValue] | None) -> Delivered:
        self.stood = True
        self.told.append(f"{request.id} again")
        return Delivered({"message": len(self.told)})


async def approve(bot: WorkflowRunner, result: RunResult, option: str = "approve") -> RunResult:
    """Answer what waits, until nothing does."""
    while result.status is RunStatus.INTERRUPTED:
        result = await bot.resume(result.run_id, result.pending[0].answer(option, responder=BY))
    return result
