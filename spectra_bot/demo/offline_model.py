"""No model, but a script for the failing sample: what a model would do there, without a provider. It says so itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from spectra_bot.demo.changes import change_between
from spectra_bot.demo.sample import PRICES, WRONG_LINE

NOT_THE_SAMPLE = (
    "I am no model but a script, which knows one folder: the sample of `spectra-bot demo --agent`. This is another "
    "one, so I can't help. Name a model with SPECTRA_AGENT_MODEL."
)
_GAVE_UP = "I proposed two patches and neither was applied. I am a script and have no third one."
_DONE = "A discount in percent was divided by 10 and is now divided by 100. (I am a script that knows this sample.)"
_PROPOSALS = (
    (
        "    return whole - whole * percent // 100\n",
        "A discount of 10 percent takes away everything: it is divided by 10, and percent are hundredths.",
    ),
    (
        "    return whole * (100 - percent) // 100\n",
        "The same in another way: what is left to pay, in hundredths.",
    ),
)


def offline_model() -> FunctionModel:
    """A script in the place of a model."""
    return FunctionModel(_reply, stream_function=_stream, model_name="offline")


async def _reply(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    returns = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if not returns:
        return _calls("Let me see what fails.", ("read_test_output", {}), ("read_file", {"path": "prices.py"}))
    if not any(part.tool_name == "read_file" and part.content == PRICES for part in returns):
        return ModelResponse(parts=[TextPart(NOT_THE_SAMPLE)])
    if returns[-1].tool_name == "run_tests":
        return ModelResponse(parts=[TextPart(_DONE)])
    if returns[-1].tool_name == "propose_patch" and returns[-1].metadata:
        return _calls("It was applied, so I run the tests.", ("run_tests", {}))
    tried = sum(part.tool_name == "propose_patch" for part in returns)
    if tried == len(_PROPOSALS):
        return ModelResponse(parts=[TextPart(_GAVE_UP)])
    line, why = _PROPOSALS[tried]
    change = change_between("prices.py", PRICES.replace(WRONG_LINE, line).encode(), PRICES.encode())
    assert change is not None  # noqa: S101  the lines differ
    return _calls("I know what is wrong.", ("propose_patch", {"diff": change.diff, "why": why}))


def _calls(text: str, *calls: tuple[str, dict[str, str]]) -> ModelResponse:
    # One iteration's calls are told apart by their ids, and iterations by their number.
    parts = [ToolCallPart(name, arguments, f"call_{number}") for number, (name, arguments) in enumerate(calls)]
    return ModelResponse(parts=[TextPart(text), *parts])


async def _stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    for number, part in enumerate((await _reply(messages, info)).parts):
        if isinstance(part, TextPart):
            yield part.content
        elif isinstance(part, ToolCallPart):
            yield {
                number: DeltaToolCall(
                    name=part.tool_name, json_args=part.args_as_json_str(), tool_call_id=part.tool_call_id
                )
            }
