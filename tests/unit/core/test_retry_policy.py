"""After which errors a step is tried again, how often, and after what pauses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spectra_bot import (
    DefinitionError,
    InterruptTimedOutError,
    RetryPolicy,
    SpectraError,
    StepContext,
    StepTimedOutError,
    Workflow,
)
from spectra_bot.machine import Phase, RetryLater, RunStep
from spectra_bot.retry_policy import asked_pause_s
from tests.unit.core.runs import Driven, nothing


def test_pauses_grow_to_a_limit() -> None:
    policy = RetryPolicy(first_pause=timedelta(seconds=2), factor=3, longest_pause=timedelta(seconds=60), jitter=0)

    assert [policy.pause(tried).total_seconds() for tried in (1, 2, 3, 4, 5, 10_000)] == [2, 6, 18, 54, 60, 60]


def test_jitter_varies_a_pause_by_its_part_and_no_more() -> None:
    policy = RetryPolicy(first_pause=timedelta(seconds=10), jitter=0.5)

    pauses = {policy.pause(1).total_seconds() for _ in range(200)}

    assert len(pauses) > 100
    assert all(5 <= pause <= 15 for pause in pauses)


@pytest.mark.parametrize(
    ("policy", "error", "covered"),
    [
        (RetryPolicy(), ValueError(), True),
        (RetryPolicy(on=ConnectionError), ConnectionResetError(), True),
        (RetryPolicy(on=(ConnectionError, TimeoutError)), ValueError(), False),
        (RetryPolicy(never_on=(ValueError,)), UnicodeError(), False),
        (RetryPolicy(), KeyboardInterrupt(), False),
        (RetryPolicy(), SystemExit(), False),
        (RetryPolicy(), InterruptTimedOutError("i-1", "Ship it?"), False),
        (RetryPolicy(on=SpectraError), InterruptTimedOutError("i-1", "Ship it?"), True),
        (RetryPolicy(), StepTimedOutError("ship", timedelta(seconds=1)), True),
        (RetryPolicy(on=TimeoutError), StepTimedOutError("ship", timedelta(seconds=1)), True),
        (RetryPolicy(on=ConnectionError), ExceptionGroup("both", [ConnectionError(), ConnectionError()]), True),
        (RetryPolicy(on=ConnectionError), ExceptionGroup("both", [ConnectionError(), ValueError()]), False),
    ],
)
def test_a_policy_covers_the_errors_it_names_and_not_the_packages_own(
    policy: RetryPolicy, error: BaseException, covered: bool
) -> None:
    assert policy.covers(error) is covered


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"attempts": 0}, "attempts is a number from 1, not 0"),
        ({"first_pause": 5}, "first_pause is a timedelta of zero or more, not 5"),
        ({"longest_pause": timedelta(seconds=-1)}, "longest_pause is a timedelta"),
        ({"longest_pause": timedelta.max}, "longest_pause is at most 365 days"),
        ({"factor": 0.5}, "factor is a number from 1 to 100, not 0.5"),
        ({"factor": float("nan")}, "factor is a number"),
        ({"jitter": 1.5}, "jitter is a number from 0 to 1, not 1.5"),
        ({"on": ("ConnectionError",)}, "on names types of errors, and 'ConnectionError' is none"),
        ({"never_on": BaseException}, "never_on names types of errors"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_its_field(values: dict[str, object], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        RetryPolicy(**values)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 30}, "timeout is a timedelta above zero, not 30"),
        ({"timeout": timedelta(0)}, "timeout is a timedelta above zero"),
        ({"retry": 3}, "retry is a RetryPolicy, not 3"),
    ],
)
def test_a_steps_time_and_retries_are_checked_where_they_are_declared(options: dict[str, object], said: str) -> None:
    with pytest.raises(DefinitionError, match=f"workflow w, step 'ship': {said}"):
        Workflow("w").add("ship", nothing, **options)  # type: ignore[arg-type]  # that is what is tested


async def step(ctx: StepContext) -> None:
    """A step that does nothing."""


def test_a_step_that_errs_waits_until_its_pause_is_over_and_runs_again() -> None:
    workflow = Workflow("w")
    workflow.add("ship", step)
    run = Driven(workflow)

    run.err("ship", timedelta(seconds=30))
    [waiting] = run.commands()
    run.retry_step("ship")

    assert isinstance(waiting, RetryLater)
    assert waiting.at_most == timedelta(seconds=30)
    assert run.commands() == [RunStep("ship", 1)]
    assert run.state.nodes["ship"].errors == 1


def test_a_persons_retry_grants_the_policys_attempts_anew_and_goes_on_counting_errors() -> None:
    workflow = Workflow("w")
    workflow.add("ship", step)
    workflow.add("other", step, after=())
    run = Driven(workflow)
    run.err("ship")
    run.fail("other")

    assert run.phases()["ship"] is Phase.CANCELLED
    run.retry()

    node = run.state.nodes["ship"]
    assert (node.phase, node.errors, node.tried, node.pausing) == (Phase.RUNNING, 1, 0, None)


@pytest.mark.parametrize(
    ("asked", "pause_s"),
    [
        (None, 0.0),
        (30, 30.0),
        (2.5, 2.5),
        (timedelta(minutes=2), 120.0),
        (-5, 0.0),
        ("30", 0.0),
        (float("nan"), 0.0),
        (float("inf"), 86_400.0),
        (10**400, 86_400.0),
    ],
)
def test_the_pause_that_an_error_asks_for_makes_sense_or_is_none(asked: object, pause_s: float) -> None:
    class SlowDownError(Exception):
        retry_after_s = asked

    assert asked_pause_s(SlowDownError()) == pause_s
    assert asked_pause_s(ValueError()) == 0.0
