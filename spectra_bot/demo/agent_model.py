"""The model of the demo's agent, by name. Needs the extra `agent`."""

from __future__ import annotations

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model

from spectra_bot.demo.offline_model import offline_model
from spectra_bot.settings import Settings, SettingsError

OFFLINE = "offline"
NO_MODEL = (
    "no model is named for the agent: set SPECTRA_AGENT_MODEL to one by its name in pydantic-ai, such as openai:gpt-5, "
    f"with its provider's key beside it, or to {OFFLINE} to see a script mend the sample of `spectra-bot demo --agent`"
)


def model_name(wanted: str | None) -> str:
    """The name that is wanted, or else the setting's.

    Raises:
        SettingsError: there is none; says what to set.
    """
    name = wanted or Settings.load().agent_model
    if not name:
        raise SettingsError(NO_MODEL)
    return name


def model_named(name: str) -> Model:
    """The model itself; nothing is asked of it yet.

    Raises:
        SettingsError: there is no such model, or it needs a package or a key that is not there.
    """
    if name == OFFLINE:
        return offline_model()
    try:
        return infer_model(name)
    except (ImportError, UserError, ValueError) as error:
        raise SettingsError(f"the model {name} can't be used (SPECTRA_AGENT_MODEL): {error}") from error
