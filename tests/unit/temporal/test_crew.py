"""What a person is told where nobody takes the work of a task queue."""

from __future__ import annotations

import pytest

from spectra_bot import TemporalOptions
from spectra_bot.temporal.crew import Crew, Version

V1, V2 = Version("bots", "v1"), Version("bots", "v2")
PLAIN = TemporalOptions(task_queue="q", deployment="bots")
GIVE = "temporal worker deployment set-current-version --address localhost:7233 --namespace default --deployment-name"


@pytest.mark.parametrize(
    ("present", "chosen"),
    [([None], [None]), ([V1, V2], [V1]), ([V2], [V1, V2]), ([None, V1], [V1])],
    ids=["no builds", "the current build", "a build that gets a part", "beside workers without a build"],
)
def test_nothing_is_said_where_somebody_takes_the_work(present: list[Version | None], chosen: list[Version]) -> None:
    assert Crew(present=present, chosen=chosen).why_idle(PLAIN) is None


def test_queue_that_nobody_asks_is_told_with_what_to_start() -> None:
    assert Crew(present=[], chosen=[None]).why_idle(PLAIN) == (
        "no worker takes work from task queue q: start `spectra-bot worker`"
    )
    assert Crew(present=[], chosen=[V1]).why_idle(PLAIN) == (
        "no worker takes work from task queue q: start `spectra-bot worker` with SPECTRA_TEMPORAL_BUILD_ID=v1"
    )


def test_workers_of_another_build_are_told_with_the_command_that_gives_them_the_work() -> None:
    assert Crew(present=[V2], chosen=[V1]).why_idle(PLAIN) == (
        "no worker takes work from task queue q: it is for workers of build v1 of bots, and there are only workers of "
        f"build v2 of bots; start one, or give these the work: {GIVE} bots --build-id v2"
    )


@pytest.mark.parametrize(
    ("build_id", "chosen", "said"),
    [
        (None, [None], None),
        ("v1", [V1], None),
        ("v2", [V1, V2], None),
        (
            "v2",
            [V1],
            "the work of task queue q is for workers of build v1 of bots, so workers of build v2 of bots get none yet; "
            f"give it to them: {GIVE} bots --build-id v2",
        ),
        (
            "v1",
            [None],
            "the work of task queue q is for workers without a build id, so workers of build v1 of bots get none yet; "
            f"give it to them: {GIVE} bots --build-id v1",
        ),
        (
            None,
            [V1],
            "the work of task queue q is for workers of build v1 of bots, so workers without a build id get none yet; "
            f"give it to them: {GIVE} bots --unversioned",
        ),
    ],
)
def test_build_that_gets_no_work_is_told_with_the_command_that_gives_it(
    build_id: str | None, chosen: list[Version | None], said: str | None
) -> None:
    options = TemporalOptions(task_queue="q", deployment="bots", build_id=build_id)

    assert Crew(present=[], chosen=chosen).why_left_out(options) == said
