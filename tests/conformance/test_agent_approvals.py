"""A call that needs approval, whatever else its tool does, and whatever becomes of its arguments by an edit."""

from __future__ import annotations

from pydantic_ai import RunContext

from spectra_bot import RunStatus, StepContext
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.conformance.conftest import OpenRunner

Context = RunContext[StepContext]


class World:
    """Tools, and what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def delete(self, ctx: Context, path: str, force: bool = False) -> str:
        self.done.append(f"delete {path}{' by force' if force else ''}")
        return "deleted"


async def test_approval_of_a_call_is_none_of_a_later_one_with_the_same_id(open_runner: OpenRunner) -> None:
    world = World()
    script = Script([call("delete", "a", path="/srv/x")], [call("delete", "a", path="/srv/x")], "over")
    runner = await open_runner(workflow_of(agent_of(script, world.delete, guarded=("delete",))))

    asked = await runner.run("agent")
    again = await runner.resume(asked.run_id, asked.pending[0].answer("approve"))
    done = await runner.resume(asked.run_id, again.pending[0].answer("reject"))

    assert done.status is RunStatus.COMPLETED
    assert world.done == ["delete /srv/x"]
