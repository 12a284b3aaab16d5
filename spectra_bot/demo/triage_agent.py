"""The agent that looks at failing tests and proposes patches. Needs the extra `agent`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_ai import Agent, RunContext, TextOutput, Tool, ToolReturn
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ToolReturnPart

from spectra_bot.context import StepContext
from spectra_bot.demo import visible_files
from spectra_bot.demo.patches import PatchError
from spectra_bot.demo.plain_files import NoPlainFileError
from spectra_bot.demo.proposal import AppliedPatch, Proposal
from spectra_bot.demo.suite import SuiteError, SuiteOutcome, run_suite

Context = RunContext[StepContext]

INSTRUCTIONS = """
You find out why tests fail, and propose a patch that mends the cause. Read what the tests printed and the files it
names before you propose. Change as little as needed, and mend the code: change a test only if the test itself is wrong.
People look at each patch and may reject or edit it; if they reject it, do as they say or propose something else. When
a patch was applied, run the tests. When they pass, or when you know no further, end with a few plain sentences that
say what was wrong and what was done.
""".strip()


class Triage(BaseModel):
    """What the agent came to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    """In its own words."""
    applied: tuple[AppliedPatch, ...] = ()
    """What was really done, in this order, whatever it says."""


async def read_test_output(ctx: Context) -> str:
    """Read what the failing tests printed."""
    return _failing(ctx).output


async def list_files(ctx: Context) -> list[str]:
    """List the files of the folder."""
    return await asyncio.to_thread(visible_files.listed, ctx.deps.inputs.folder)


async def read_file(ctx: Context, path: str, first_line: int = 1) -> str:
    """Read a text file of the folder.

    Args:
        path: relative to the folder.
        first_line: where to begin, for a file that goes on.
    """
    try:
        return await asyncio.to_thread(visible_files.text_of, ctx.deps.inputs.folder, path, first_line)
    except (NoPlainFileError, OSError) as error:
        raise ToolFailed(str(error)) from error


async def propose_patch(
    ctx: Context, diff: Annotated[str, Field(min_length=1)], why: Annotated[str, Field(min_length=1, max_length=3000)]
) -> ToolReturn:
    """Propose a patch. People apply, reject or edit it, and you are told what they did.

    Args:
        diff: a unified diff as git writes it, with a/ and b/ before paths that are relative to the folder. It may
            change and create text files.
        why: what is wrong, and how this mends it, for those who decide.
    """
    proposal = Proposal(folder=ctx.deps.inputs.folder, patch=diff, why=why, tests=_failing(ctx).in_words())
    try:
        outcome = await proposal.decided(ctx.deps)
    except PatchError as error:
        raise ToolFailed(f"Not applied: {error}") from error
    if isinstance(outcome, str):
        return ToolReturn(return_value=outcome)
    told = f"{outcome.by or 'Somebody'} had it applied. Changed: {', '.join(outcome.files)}."
    return ToolReturn(return_value=told, metadata=outcome.model_dump(mode="json"))


async def run_tests(ctx: Context) -> str:
    """Run the tests again, after a patch was applied."""
    inputs = ctx.deps.inputs
    try:
        outcome = await run_suite(inputs.command, inputs.folder, inputs.limit_s)
    except SuiteError as error:
        raise ToolFailed(str(error)) from error
    return f"{outcome.in_words()}\n\n{outcome.output}"


async def report(ctx: Context, summary: str) -> Triage:
    """What the agent says at its end, beside what was applied by the record of its calls."""
    returns = [part for message in ctx.messages for part in message.parts if isinstance(part, ToolReturnPart)]
    applied = [part.metadata for part in returns if part.tool_name == "propose_patch" and part.metadata]
    return Triage(summary=summary.strip(), applied=tuple(AppliedPatch.model_validate(one) for one in applied))


def _failing(ctx: Context) -> SuiteOutcome:
    return SuiteOutcome.model_validate(ctx.deps.outputs["run_tests"]["tests"])


_OUTPUT: TextOutput[Triage] = TextOutput(report)
agent: Agent[StepContext, Triage] = Agent(
    deps_type=StepContext,
    output_type=_OUTPUT,
    name="triage",
    instructions=INSTRUCTIONS,
    tools=[Tool(tool, takes_ctx=True) for tool in (read_test_output, list_files, read_file, propose_patch, run_tests)],
)
