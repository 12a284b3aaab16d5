"""What an agent may spend."""

from __future__ import annotations

from typing import Any

import pytest

from spectra_bot import DefinitionError
from spectra_bot.agent import AgentLimits


@pytest.mark.parametrize("limit", [{"iterations": 0}, {"cost": -1.0}, {"seconds": 0.0}])
def test_limit_of_nothing_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=f"the limit of an agent's {next(iter(limit))} is"):
        AgentLimits(**limit)
