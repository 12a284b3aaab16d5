"""The demo's agent mends a folder whose tests really fail, by the word of people, on each engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectra_bot import RunStatus
from spectra_bot.demo.sample import make_failing_sample
from spectra_bot.demo.triage import triage
from tests.conformance.conftest import OpenRunner


async def test_rejected_patch_leads_to_another_and_an_applied_one_mends_the_tests(
    open_runner: OpenRunner, tmp_path: Path
) -> None:
    folder = make_failing_sample(tmp_path)
    before = (folder / "prices.py").read_text()
    runner = await open_runner(triage)

    asked = await runner.run("triage", {"folder": str(folder), "model": "offline"})
    [first] = asked.pending
    again = await runner.resume(asked.run_id, first.answer("reject", responder="U1", notes="divide once"))
    [second] = again.pending
    untouched = (folder / "prices.py").read_text()
    done = await runner.resume(asked.run_id, second.answer("apply", responder="U2"))

    assert untouched == before
    assert "+    return whole - whole * percent // 100" in str(first.data["diff"])
    assert "+    return whole * (100 - percent) // 100" in str(second.data["diff"])
    assert done.status is RunStatus.COMPLETED
    assert "return whole * (100 - percent) // 100" in (folder / "prices.py").read_text()
    outcome: Any = done.outputs["run_tests_again"]
    assert outcome["message"] == "Fixed: 3 passed (before: 1 failed, 2 passed)"
    assert (outcome["outcome"], outcome["files"]) == ("fixed", ["prices.py"])
    assert (outcome["before"], outcome["after"]) == ({"failed": 1, "passed": 2}, {"passed": 3})
