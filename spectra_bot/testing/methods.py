"""What every Web API method is: a name, the scopes that allow it, and the work it does."""

from collections.abc import Callable
from dataclasses import dataclass

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.people import Installation
from spectra_bot.testing.workspace import Workspace

Work = Callable[[Workspace, Installation, Arguments], JsonObject]


@dataclass(frozen=True, slots=True)
class Method:
    """One method. Any one of `scopes` allows it; none are needed when it names none."""

    name: str
    scopes: tuple[str, ...]
    work: Work
