"""A demo's run, from its start to where it rests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spectra_bot import app
from spectra_bot.cli.options import Call
from spectra_bot.cli.session import Session
from spectra_bot.loading import Loaded
from spectra_bot.options import InterruptStatus
from spectra_bot.runner import Runner
from spectra_bot.runs import RunResult

_STATUS = {"approve": InterruptStatus.APPROVED, "reject": InterruptStatus.REJECTED}


def place_for(call: Call, *, needs_sample: bool) -> Path | None:
    """A temporary place for a sample and the database; None where both are named."""
    return Path(tempfile.mkdtemp(prefix="spectra-demo-")) if needs_sample or call.db is None else None


def with_database(call: Call, place: Path | None) -> Call:
    """The call with the database that was named, or one in the temporary place."""
    db = call.db or (place or Path()) / "spectra.db"
    return replace(call, settings=call.settings.model_copy(update={"db": db}), db=db)


def play(call: Call, loaded: Loaded, workflow: str, inputs: Mapping[str, str], answer: str | None) -> RunResult:
    """Run a demo's workflow until it rests, and tell how it stands.

    Args:
        answer: `approve` or `reject`, to decide its questions without a prompt.
    """

    async def begin(runner: Runner) -> str:
        run_id = await runner.start(workflow, inputs, requested_by=app.cli_identity())
        if answer is not None:
            await _decide(runner, run_id, _STATUS[answer])
        return run_id

    session = Session(call=call, loaded=loaded, asks_elsewhere=False)
    return asyncio.run(session.work(begin, creates=True, asks=answer is None))


async def _decide(runner: Runner, run_id: str, status: InterruptStatus) -> None:
    """Give the answer of the command line to the questions of the run that have one of this kind."""
    while True:
        pending = (await runner.wait(run_id)).pending
        answers = [
            request.answer(option.id, responder=app.cli_identity())
            for request in pending
            for option in request.options
            if option.status is status
        ]
        if not answers:
            return
        for response in answers:
            await runner.answer(response.interrupt_id or "", response)
