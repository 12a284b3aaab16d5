"""What an agent does is shown as it happens, and is not shown again by a re-run."""

from __future__ import annotations

import pydantic_ai
import pytest
from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.exceptions import ToolFailed

from spectra_bot import InterruptRequest, RunUpdate, StepContext, WorkflowRunner
from spectra_bot.agent import progress
from spectra_bot.redact import MASK
from tests.conformance.agents import Script, agent_of, call, workflow_of


async def look(ctx: RunContext[StepContext], what: str) -> dict[str, str]:
    return {"seen": what}


async def ask(ctx: RunContext[StepContext]) -> str | None:
    return (await ctx.deps.interrupt(InterruptRequest(reason="Go on?"))).option


async def test_text_and_calls_are_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 3600.0)
    shown: list[str] = []

    def listen(update: RunUpdate) -> None:
        if update.text:
            shown.append(update.text)

    script = Script([call("look", "a", what="x")], [call("ask", "b")], "It is done.")
    async with WorkflowRunner(
        workflows=[workflow_of(agent_of(script, look, ask))], database=":memory:", listeners=[listen]
    ) as runner:
        asked = await runner.run("agent")
        before = list(shown)
        await runner.resume(asked.run_id, asked.pending[0].answer("approve"))

    assert before == ["Because.", "look(what=x)", 'look: {"seen":"x"}', "Because.", "ask()"]
    assert shown[len(before) :] == ["ask()", "ask: approve", "It is done."]


async def test_secrets_of_a_call_are_masked_by_their_names() -> None:
    shown: list[str] = []

    async def log_in(ctx: RunContext[StepContext], user: str, password: str) -> dict[str, str]:
        return {"token": f"for {user}"}

    script = Script([call("log_in", "a", user="ada", password="hunter2")], "over")
    async with WorkflowRunner(
        workflows=[workflow_of(agent_of(script, log_in))],
        database=":memory:",
        listeners=[lambda update: shown.append(update.text or "")],
    ) as runner:
        await runner.run("agent")

    assert f"log_in(user=ada, password={MASK})" in shown
    assert f'log_in: {{"token":"{MASK}"}}' in shown


async def test_what_a_tool_tells_the_model_is_shown_as_its_outcome() -> None:
    shown: list[str] = []

    async def fails(ctx: RunContext[StepContext]) -> str:
        raise ToolFailed("there is no such file")

    async def returns(ctx: RunContext[StepContext]) -> ToolReturn:
        return ToolReturn(return_value="seen", metadata={"for": "nobody"})

    script = Script([call("fails", "a")], [call("returns", "b")], "over")
    async with WorkflowRunner(
        workflows=[workflow_of(agent_of(script, fails, returns))],
        database=":memory:",
        listeners=[lambda update: shown.append(update.text or "")],
    ) as runner:
        await runner.run("agent")

    assert "fails failed: there is no such file" in shown
    assert "returns: seen" in shown


async def test_long_values_of_a_call_are_shown_in_short_on_one_line() -> None:
    shown: list[str] = []

    async def patch(ctx: RunContext[StepContext], file: str, diff: str) -> str:
        return f"applied\n{diff}"

    script = Script([call("patch", "a", file="a.py", diff="--- a/a.py\n+++ b/a.py\n" + "+x\n" * 300)], "over")
    async with WorkflowRunner(
        workflows=[workflow_of(agent_of(script, patch))],
        database=":memory:",
        listeners=[lambda update: shown.append(update.text or "")],
    ) as runner:
        await runner.run("agent")

    made, came_to = (text for text in shown if text.startswith("patch"))
    assert made.startswith("patch(file=a.py, diff=--- a/a.py +++ b/a.py +x +x")
    assert made.endswith("…)")
    assert came_to.startswith("patch: applied --- a/a.py")
    assert max(len(made), len(came_to)) < 220


async def test_only_the_run_is_told_of_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydantic_ai, "BANNER_ENABLED", True)
    script = Script("over")

    async with WorkflowRunner(workflows=[workflow_of(agent_of(script))], database=":memory:") as runner:
        await runner.run("agent")

    assert not pydantic_ai.BANNER_ENABLED


def test_text_is_shown_at_most_once_a_second() -> None:
    assert progress.EVERY_S == 1.0


async def test_what_came_of_a_call_is_told_of_the_same_call() -> None:
    told: dict[str | None, list[str]] = {}

    def listen(update: RunUpdate) -> None:
        if update.text:
            told.setdefault(update.about, []).append(update.text)

    script = Script([call("look", "a", what="x"), call("look", "b", what="y")], "It is done.")
    async with WorkflowRunner(
        workflows=[workflow_of(agent_of(script, look))], database=":memory:", listeners=[listen]
    ) as runner:
        await runner.run("agent")

    assert told.pop(None) == ["Because.", "It is done."]
    assert sorted(told.values()) == [["look(what=x)", 'look: {"seen":"x"}'], ["look(what=y)", 'look: {"seen":"y"}']]
