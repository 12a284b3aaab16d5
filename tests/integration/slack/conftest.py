"""What the tests of the bot share."""

from __future__ import annotations

import pytest


@pytest.fixture
def quick_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox tries again at once, and soon looks whether what it delivered stands."""
    monkeypatch.setattr("spectra_bot.embedded.outbox.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("spectra_bot.temporal.handler_activities.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("spectra_bot.engine.reconciler.PAUSE_S", 0.01)
    monkeypatch.setattr("spectra_bot.engine.reconciler.ROUND_S", 0.05)
