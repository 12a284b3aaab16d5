"""Agents that stop to ask: a pydantic-ai agent as a step of a workflow. Needs the extra `agent`."""

from spectra_bot.agent.asking_people import ask_human
from spectra_bot.agent.errors import AgentLimitError, AgentStoppedError
from spectra_bot.agent.limits import AgentLimits, Spent
from spectra_bot.agent.run import AgentAnswer, run_agent
from spectra_bot.agent.step import AgentStep

__all__ = [
    "AgentAnswer",
    "AgentLimitError",
    "AgentLimits",
    "AgentStep",
    "AgentStoppedError",
    "Spent",
    "ask_human",
    "run_agent",
]
