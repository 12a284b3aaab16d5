"""What an agent has spent, as people are told of it and as its limits count it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic_ai import RunContext

from spectra_bot import RunStatus, StepContext
from spectra_bot.agent import recording
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner


async def look(ctx: RunContext[StepContext]) -> str:
    return "seen"


async def test_price_of_a_reply_is_what_it_was_when_it_was_paid(
    open_runner: OpenRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([call("look", "a")], [call("look", "b")], "over")
    runner = await open_runner(workflow_of(agent_of(script, look, guarded=("look",))))
    monkeypatch.setattr(recording, "price_of", lambda reply: Decimal("0.25"))

    asked = await runner.run("agent")
    monkeypatch.setattr(recording, "price_of", lambda reply: Decimal("0.5"))
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("approve"))

    assert [str(one.pending[0].data["so far"]).split(", ")[-1] for one in (asked, again)] == ["$0.25", "$0.75"]
    assert done.status is RunStatus.COMPLETED
