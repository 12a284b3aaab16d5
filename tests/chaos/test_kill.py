"""A few rounds of `python -m tests.chaos.kill`."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.kill import WEIGHTS, draw, kill


async def test_nothing_acked_is_lost_and_nothing_is_repeated_when_processes_are_killed(tmp_path: Path) -> None:
    over_http = ["outlast", "kill one", "kill one"]
    over_socket_mode = ["kill one as it starts", "kill all", "terminate one"]

    report = await kill([over_http, over_socket_mode], 1, tmp_path)

    assert not report.problems, "\n".join(report.problems)
    assert report.rounds == 6
    assert report.counted["runs completed"] > 0
    assert report.counted["people whose answer counted"] > 0


def test_strikes_follow_from_the_seed() -> None:
    assert draw(60, 7) == draw(60, 7) != draw(60, 8)
    assert [len(strikes) for strikes in draw(60, 7)] == [25, 25, 10]
    assert {strike for strikes in draw(200, 7) for strike in strikes} == set(WEIGHTS)
