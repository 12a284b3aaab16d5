"""What must hold after any simulation: pure, from the evidence to what is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from spectra_bot import AlreadyAnsweredError, InterruptStatus, NotPendingError
from spectra_bot.machine import RunState
from spectra_bot.machine import events as e
from tests.chaos.simulation.case import Case, by_place, stood_still
from tests.chaos.simulation.process import START
from tests.chaos.simulation.simulation import Evidence
from tests.chaos.simulation.told_steps import PLANNED, REFUSED
from tests.chaos.simulation.virtual_loop import FIRST_MOMENT_S

FROM_OUTSIDE = {"RunStarted", "InterruptAnswered", "InterruptExpired", "RunCancelled", "RunRetried", "DeliveryLost"}
"""Events that someone else than a run's owner may append."""
OVERSLEPT = timedelta(seconds=12)
"""A deadline is recorded this soon: the lease of a dead owner and the looks of the next one, with some to spare."""
Breaches = Iterator[tuple[bool, str]]
"""One item a check: whether it holds, and what to say if it does not."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What came of checking one simulation."""

    checks: int = 0
    breaches: list[str] = field(default_factory=list)
    """`name of the invariant: what was seen`."""
    repeated_in_window: int = 0
    """Effects that were done again because their process died, or stood still, before it stored them."""


def an_acked_answer_is_the_one_that_counts(case: Case) -> Breaches:
    for told in case.answers():
        if told.outcome == "acked" and told.answer is not None:
            ends = case.ends[told.name]
            fits = [
                seq
                for run_id, seq, event in ends
                if isinstance(event, e.InterruptAnswered)
                and event.response.option == told.answer.option
                and event.response.responder == told.by == told.answer.responder
                and case.committed_at(run_id, seq) <= told.heard_at
            ]
            yield bool(fits), f"{told.by} was acked {told.answer.option!r} on {told.name}; stored by then: {ends}"


def an_acked_wish_is_stored(case: Case) -> Breaches:
    kinds = {"start": "RunStarted", "cancel": "RunCancelled", "retry": "RunRetried"}
    for told in case.outside.told:
        if told.what in kinds and told.outcome == "acked":
            found = any(
                e.kind_of(event) == kinds[told.what] and case.committed_at(told.name, seq) <= told.heard_at
                for seq, event in case.logs.get(told.name, ())
            )
            yield found, f"{told.what} of {told.name} was acked and is not in the log"


def an_interrupt_has_one_winner(case: Case) -> Breaches:
    for interrupt_id, ends in case.ends.items():
        yield len(ends) == 1, f"{interrupt_id} was decided {len(ends)} times: {ends}"
    for told in case.answers():
        match told.error:
            case AlreadyAnsweredError() as error:
                winners = [
                    (event.response.option, event.response.responder)
                    for _, _, event in case.ends[told.name]
                    if isinstance(event, e.InterruptAnswered)
                ]
                said = (error.option, error.answered_by)
                yield winners == [said], f"{told.by} was told that {said} won {told.name}, and it was {winners}"
            case NotPendingError():
                answered = [event for _, _, event in case.ends[told.name] if isinstance(event, e.InterruptAnswered)]
                yield not answered, f"{told.by} was told that nobody answered {told.name}: {answered}"


def a_decision_is_stored_before_it_is_acted_on(case: Case) -> Breaches:
    for execution in case.outside.executions:
        for interrupt_id, status, option in execution.seen:
            ends = case.ends[interrupt_id]
            fits = any(
                case.committed_at(run_id, seq) <= execution.at
                and (
                    (status, option) == (event.response.status, event.response.option)
                    if isinstance(event, e.InterruptAnswered)
                    else status == "timed_out"
                )
                for run_id, seq, event in ends
            )
            yield fits, f"step {execution.step} saw {status} {option!r} of {interrupt_id}; stored by then: {ends}"


def a_question_is_stored_before_anyone_sees_it(case: Case) -> Breaches:
    raised = {
        event.request.id: case.committed_at(run_id, seq)
        for run_id, log in case.logs.items()
        for seq, event in log
        if isinstance(event, e.InterruptRaised)
    }
    for at, interrupt_id in case.outside.asked:
        yield raised.get(interrupt_id, float("inf")) <= at, f"{interrupt_id} was asked before it was stored"


def a_once_result_is_stored_once(case: Case) -> Breaches:
    for run_id, log in case.logs.items():
        stored = Counter((event.step, event.visit, event.key) for _, event in log if isinstance(event, e.OnceStored))
        for place, count in stored.items():
            yield count == 1, f"{run_id} {place} is stored {count} times"


def an_effect_is_repeated_only_in_the_window(case: Case) -> Breaches:
    """The process died between doing and storing it, or stood still meanwhile; never once it is stored."""
    stored_at = {
        (run_id, event.step, event.visit, event.key): case.committed_at(run_id, seq)
        for run_id, log in case.logs.items()
        for seq, event in log
        if isinstance(event, e.OnceStored)
    }
    for place, effects in by_place(case.outside.effects).items():
        for before, after in pairwise(effects):
            in_window = case.disturbed(before.process, before.at, after.at) or stood_still(
                case.outside.lives[after.process], before.at, after.at
            )
            yield in_window, f"{place} was done by {before.process}, and again by {after.process}, which both lived"
        kept = stored_at.get(place, float("inf"))
        for effect in effects:
            was_away = stood_still(case.outside.lives[effect.process], kept - 10, effect.at)
            yield effect.at <= kept or was_away, f"{place} was done at {effect.at}, and stored at {kept}"


def a_finished_step_does_not_run_again(case: Case) -> Breaches:
    finished = {
        (run_id, event.step, event.visit): case.committed_at(run_id, seq)
        for run_id, log in case.logs.items()
        for seq, event in log
        if isinstance(event, e.StepCompleted | e.StepSkipped)
    }
    for execution in case.outside.executions:
        at = finished.get((execution.run_id, execution.step, execution.visit), float("inf"))
        was_away = stood_still(case.outside.lives[execution.process], at - 10, execution.at)
        yield (
            execution.at <= at or was_away,
            f"{execution.run_id} {execution.step}, visit {execution.visit}, ran at {execution.at}; done at {at}",
        )


def everything_comes_to_an_end(case: Case) -> Breaches:
    evidence = case.evidence
    open_runs = [run_id for run_id, _, is_open, *_ in evidence.runs if is_open]
    missing = sorted(set(evidence.wanted) - set(case.logs))
    yield evidence.came_to_an_end, f"after {evidence.simulated_s:.0f} s open: {open_runs}; not there: {missing}"
    if evidence.came_to_an_end:
        for run_id, state in case.states.items():
            yield state.status.over, f"{run_id} is {state.status}"
            for interrupt in state.pending():
                yield False, f"{interrupt.request.id} of {run_id} is pending"


def a_run_ends_as_its_log_permits(case: Case) -> Breaches:
    for run_id, state in case.states.items():
        log = [event for _, event in case.logs[run_id]]
        match state.status.value:
            case "completed":
                for step, output in state.outputs.items():
                    yield (
                        all(_is_decided(case, shown) for shown in _shown_decisions(output)),
                        f"{run_id} completed with an output of {step} that is not what was decided: {output}",
                    )
            case "cancelled":
                yield any(isinstance(event, e.RunCancelled) for event in log), f"{run_id} was cancelled by nobody"
            case "failed":
                yield _has_cause(case, state, log), f"{run_id} failed without a cause: {state.error}"


def _shown_decisions(output: object) -> Iterator[dict[str, object]]:
    if isinstance(output, dict):
        if "interrupt_id" in output:
            yield output
        for value in output.values():
            yield from _shown_decisions(value)
    elif isinstance(output, list):
        for value in output:
            yield from _shown_decisions(value)


def _is_decided(case: Case, shown: dict[str, object]) -> bool:
    for _, _, event in case.ends[str(shown["interrupt_id"])]:
        if isinstance(event, e.InterruptExpired):
            return shown["status"] == "timed_out"
        response = event.response
        return (shown["option"], shown["responder"]) == (response.option, response.responder)
    return False


def _has_cause(case: Case, state: RunState, log: list[e.Event]) -> bool:
    error = state.error or ""
    step = error.split(":", 1)[0]
    refused = [
        interrupt
        for interrupt in state.interrupts.values()
        if interrupt.step == step
        and interrupt.response is not None
        and interrupt.response.status is not InterruptStatus.CANCELLED
    ]
    if "died under it" in error:
        return sum(step in event.steps for event in log if isinstance(event, e.RunRecovered)) >= 5
    is_refusal = REFUSED in error or " by " in error or "in time" in error
    return PLANNED in error or (is_refusal and bool(refused))


def an_expiry_is_neither_early_nor_doubled(case: Case) -> Breaches:
    for run_id, log in case.logs.items():
        deadlines = {}
        for _, event in log:
            if isinstance(event, e.InterruptRaised):
                deadlines[event.request.id] = event.request.deadline
            elif isinstance(event, e.InterruptExpired):
                deadline = deadlines.get(event.interrupt_id)
                yield (
                    deadline is not None and event.at >= deadline,
                    f"{event.interrupt_id} of {run_id} expired at {event.at}, its deadline is {deadline}",
                )
                status = case.evidence.interrupts[event.interrupt_id][1]
                yield status == "timed_out", f"{event.interrupt_id} expired and is kept as {status}"


def a_deadline_holds(case: Case) -> Breaches:
    """No answer wins past it, and once nothing fails any more it is not overslept."""
    lives = case.outside.lives.values()
    troubles = [until for life in lives for until in (life.ended_at or 0.0, *(end for _, end in life.stood_still))]
    quiet_s = max(case.evidence.plan.calm_s + FIRST_MOMENT_S, *troubles) - FIRST_MOMENT_S
    jumps = any(trouble.kind == "jump" for trouble in case.evidence.plan.troubles)
    for run_id, log in case.logs.items():
        for interrupt in case.states[run_id].interrupts.values() if run_id in case.states else ():
            deadline = interrupt.request.deadline
            for _, event in log:
                if deadline is None or getattr(event, "interrupt_id", None) != interrupt.request.id:
                    continue
                if isinstance(event, e.InterruptAnswered):
                    yield event.at < deadline, f"{interrupt.request.id} was answered at {event.at}, after {deadline}"
                elif isinstance(event, e.InterruptExpired) and not jumps:
                    latest = max(deadline, START + timedelta(seconds=quiet_s)) + OVERSLEPT
                    yield event.at <= latest, f"{interrupt.request.id} expired at {event.at}, and was due {deadline}"


def only_an_owner_appends(case: Case) -> Breaches:
    for commit in case.outside.commits:
        for (run_id, seq, kind), owner in commit.events:
            yield (
                owner == commit.owner_id or kind in FROM_OUTSIDE,
                f"{commit.process} appended {kind} {seq} to {run_id}, which {owner} owned",
            )


def a_log_has_no_gap(case: Case) -> Breaches:
    for run_id, _, _, count, *_ in case.evidence.runs:
        numbers = [seq for seq, _ in case.logs[run_id]]
        yield numbers == list(range(1, count + 1)), f"{run_id} counts {count} events and has {numbers}"
        seen = all((run_id, seq) in case.commit_of for seq in numbers)
        yield seen, f"{run_id} has events that nobody committed"


def the_log_gives_the_live_state(case: Case) -> Breaches:
    for run_id, stale in case.unreadable.items():
        yield False, f"{run_id} can't be replayed: {stale}"
    for run_id, live in case.evidence.live:
        if run_id in case.states:
            yield live == case.states[run_id], f"{run_id} is another one in memory than in its log"
    for run_id, status, *_ in case.evidence.runs:
        if run_id in case.states:
            yield status == case.states[run_id].status, f"{run_id} is {status} in its row"
    for interrupt_id, (run_id, status) in case.evidence.interrupts.items():
        if run_id in case.states:
            response = case.states[run_id].interrupts[interrupt_id].response
            in_log = response.status.value if response else "pending"
            yield status == in_log, f"{interrupt_id} is {status} in its row and {in_log} in the log"


def what_was_delivered_is_settled(case: Case) -> Breaches:
    if not case.evidence.came_to_an_end:
        return
    for run_id, state in case.states.items():
        concluded = []
        for interrupt_id, interrupt in state.interrupts.items():
            for handler, delivery in interrupt.deliveries.items():
                if delivery.receipt is None:
                    continue
                yield delivery.settled, f"{interrupt_id} was delivered by {handler} and never settled"
                message = case.outside.messages[int(str(delivery.receipt["message"]))]
                shown = (message.shown.status, message.shown.option) if message.shown else None
                response = interrupt.response
                is_it = response is not None and shown == (response.status, response.option)
                yield is_it, f"message {message.number} shows {shown}, and {interrupt_id} ended with {response}"
                newer = message.shown.superseded_by if message.shown else None
                yield newer == interrupt.superseded_by, f"message {message.number} names {newer} as the newer question"
                concluded.append(message.concluded)
        # It is told where the newest message stands that was known then; one may just have been on its way.
        if concluded:
            yield state.status in concluded, f"{run_id} ended as {state.status}, and its messages tell {concluded}"


def nobody_complains(case: Case) -> Breaches:
    yield not case.evidence.complaints, f"{case.evidence.complaints[:3]}"


def the_file_is_sound(case: Case) -> Breaches:
    yield case.evidence.integrity == "ok", f"{case.evidence.integrity}"


INVARIANTS: tuple[Callable[[Case], Breaches], ...] = (
    an_acked_answer_is_the_one_that_counts,
    an_acked_wish_is_stored,
    an_interrupt_has_one_winner,
    a_decision_is_stored_before_it_is_acted_on,
    a_question_is_stored_before_anyone_sees_it,
    a_once_result_is_stored_once,
    an_effect_is_repeated_only_in_the_window,
    a_finished_step_does_not_run_again,
    everything_comes_to_an_end,
    a_run_ends_as_its_log_permits,
    an_expiry_is_neither_early_nor_doubled,
    a_deadline_holds,
    only_an_owner_appends,
    a_log_has_no_gap,
    the_log_gives_the_live_state,
    what_was_delivered_is_settled,
    nobody_complains,
    the_file_is_sound,
)


def judge(evidence: Evidence) -> Verdict:
    """Check every invariant."""
    case = Case(evidence)
    verdict = Verdict()
    for invariant in INVARIANTS:
        for holds, otherwise in invariant(case):
            verdict.checks += 1
            if not holds:
                verdict.breaches.append(f"{invariant.__name__}: {otherwise}")
    verdict.repeated_in_window = sum(len(effects) - 1 for effects in by_place(case.outside.effects).values())
    return verdict
