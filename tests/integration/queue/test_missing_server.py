"""On a machine without redis-server its tests are skipped and say how to get it; under CI they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.redis_server import REQUIRED, a_redis


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_missing_server_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(REQUIRED, required)

    with pytest.raises(outcome, match="apt-get install redis-server"), a_redis(tmp_path):
        pass
