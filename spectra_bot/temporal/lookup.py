"""What stands of a run, as the run itself tells it: a query that any worker with its history answers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pydantic_core import to_json

from spectra_bot.engine.views import checkpoint_of
from spectra_bot.errors import RunNotFoundError, UnknownInterruptError
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.runs import Checkpoint, InterruptRecord, RunDetails, RunResult
from spectra_bot.temporal.calls import RunCalls
from spectra_bot.temporal.messages import Events
from spectra_bot.temporal.step_activities import run_of
from spectra_bot.temporal.visibility import Listed


class Lookup:
    """Asks runs. Where nothing else is said, it raises what `RunCalls.ask` does."""

    def __init__(self, calls: RunCalls) -> None:
        self._calls = calls

    async def result(self, run_id: str) -> RunResult:
        """The run as it stands."""
        result: RunResult = await self._calls.ask(run_id, "result", result_type=RunResult)
        return result

    async def details(self, run_id: str) -> RunDetails:
        """The run with its steps and interrupts."""
        details: RunDetails = await self._calls.ask(
            run_id, "details", await self._calls.failing(run_id), result_type=RunDetails
        )
        return details

    async def interrupt(self, interrupt_id: str) -> InterruptRecord:
        """One interrupt of the run that its id names.

        Raises:
            UnknownInterruptError: no such interrupt, or no such run.
        """
        run_id = run_of(interrupt_id)
        record: InterruptRecord | None = None
        with contextlib.suppress(RunNotFoundError):
            if run_id:
                record = await self._calls.ask(
                    run_id,
                    "interrupt",
                    interrupt_id,
                    await self._calls.failing(run_id),
                    result_type=InterruptRecord | None,
                )
        if record is None:
            raise UnknownInterruptError(interrupt_id)
        return record

    async def history(self, run_id: str) -> Sequence[Checkpoint]:
        """All that has happened to the run, the first event first."""
        events: Events = await self._calls.ask(run_id, "events", result_type=Events)
        return [
            checkpoint_of(seq, entry.kind, to_json(entry.body).decode())
            for seq, entry in enumerate(events.entries, start=1)
        ]

    async def listed(self, run_id: str) -> Listed | None:
        """The run as lists show it now; None where it is not there."""
        with contextlib.suppress(RunNotFoundError):
            found: Listed = await self._calls.ask(run_id, "listed", result_type=Listed)
            return found
        return None

    async def questions(self, run_id: str) -> Sequence[InterruptRequest]:
        """What waits for an answer, however large it is; nothing where the run is not there."""
        with contextlib.suppress(RunNotFoundError):
            found: Sequence[InterruptRequest] = await self._calls.ask(
                run_id, "questions", result_type=Sequence[InterruptRequest]
            )
            return found
        return ()
