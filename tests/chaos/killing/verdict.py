"""The promises of the README, held against the evidence: each that is broken is a line."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from spectra_bot import InterruptStatus
from spectra_bot.embedded.ownership import LATE, LEASE_S
from spectra_bot.testing import Message
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.crowd import Click
from tests.chaos.killing.evidence import Evidence, Execution, Place

WOKEN_S = 2.0
"""What was begun just before a process stood still may go out so long after it woke."""
NOT_RECORDED = "not recorded"
"""In what somebody is told whose answer is not stored, or not yet."""


def problems(found: Evidence) -> Iterator[str]:
    """Every broken promise."""
    if found.integrity != "ok":
        yield f"integrity_check: {found.integrity}"
    yield from _runs(found)
    yield from _decisions(found)
    yield from _effects(found)
    yield from _outside_once(found)
    yield from _messages(found)
    yield from (f"a bot said: {line}" for line in found.errors)


def figures(found: Evidence) -> Counter[str]:
    """What is counted, by name."""
    refused = {said.user for said in found.told if NOT_RECORDED not in said.text.lower()}
    counted = Counter({f"runs {status}": 0 for status in ("completed", "failed")})
    counted.update(f"runs {status}" for status, _, _ in found.runs.values())
    counted["questions"] = len(found.interrupts)
    counted.update(f"questions {record.status}" for record in found.interrupts.values())
    counted["clicks"] = sum(1 + click.again for click in found.clicks)
    counted["people who clicked"] = len(found.clicks)
    counted["people acked"] = sum(click.acked_at is not None for click in found.clicks)
    counted["people whose answer counted"] = sum(_is_winner(found, click) for click in found.clicks)
    counted["people refused, and told why"] = sum(
        click.user in refused and not _is_winner(found, click) for click in found.clicks
    )
    counted["effects"] = len({execution.place for execution in found.executions})
    counted["effects repeated inside the window"] = len(_unstored(found)) - _given_up(found)
    counted["effects cut short and not needed again"] = _given_up(found)
    counted["effects outside once"] = len({execution.place for execution in found.outside_once})
    counted["effects outside once repeated"] = len(found.outside_once) - counted["effects outside once"]
    counted["questions that stood twice"] = sum(count > 1 for count in copies(found).values())
    return counted


def _runs(found: Evidence) -> Iterator[str]:
    for run_id, (status, is_open, error) in found.runs.items():
        if is_open or status not in ("completed", "failed"):
            yield f"{run_id} is stuck: {status}"
        if status == "failed" and "reject by" not in error:
            yield f"{run_id} failed though nobody rejected it: {error}"
    yield from (
        f"{run_id} is lost, and someone was told it is started" for run_id in found.started if run_id not in found.runs
    )


def _decisions(found: Evidence) -> Iterator[str]:
    """One decision each; and where someone was acked, the question was over by then."""
    clicks: dict[str, list[Click]] = defaultdict(list)
    for click in found.clicks:
        clicks[click.interrupt_id].append(click)
    told_to_repeat = {said.user for said in found.told if NOT_RECORDED in said.text.lower()}
    for interrupt_id, record in found.interrupts.items():
        if found.decisions[interrupt_id] > 1:
            yield f"{interrupt_id} has {found.decisions[interrupt_id]} decisions"
        if record.response is None:
            yield f"{interrupt_id} is still open"
            continue
        is_decided = record.response.status not in (InterruptStatus.TIMED_OUT, InterruptStatus.CANCELLED)
        if is_decided and not any(_is_winner(found, click) for click in clicks[interrupt_id]):
            yield f"{interrupt_id} was decided by {record.response.responder}, who did not click that"
        assert record.response.responded_at is not None, "a stored response has its time"
        over_at = record.response.responded_at.timestamp()
        for click in clicks[interrupt_id]:
            if click.acked_at is not None and over_at > click.acked_at and click.user not in told_to_repeat:
                yield f"{interrupt_id}: the click of {click.user} was acked and is lost"
    for interrupt_id in clicks.keys() - found.interrupts.keys():
        yield f"{interrupt_id} stands in Slack and is not stored"


def _effects(found: Evidence) -> Iterator[str]:
    """Stored once; what was done and is not stored belongs to a process that was struck just then."""
    for place, tokens in found.stored.items():
        if len(tokens) > 1:
            yield f"{place} is stored {len(tokens)} times"
    first_kept: dict[Place, float] = {}
    for place, token, at in found.kept:
        first_kept[place] = min(at, first_kept.get(place, at))
        if token not in found.stored.get(place, ()):
            yield f"{place} went on with {token}, which is not stored"
    for execution in found.executions:
        if execution.token in found.stored.get(execution.place, ()):
            continue
        if not _was_struck(found, execution):
            yield f"{execution.place} was done by {execution.pid} and not stored, and nobody struck it: {execution}"
        was_woken = _was_struck(found, execution, only=signal.SIGSTOP)
        if execution.begun_at > first_kept.get(execution.place, execution.begun_at) and not was_woken:
            yield f"{execution.place} was done again by {execution.pid} after its result was stored"


def _outside_once(found: Evidence) -> Iterator[str]:
    """Done at least once by each run that completed, and again only where the step's process was struck in it."""
    done: dict[Place, list[Execution]] = defaultdict(list)
    for execution in found.outside_once:
        done[execution.place].append(execution)
    missing = {run_id for run_id, (status, _, _) in found.runs.items() if status == "completed"}
    missing -= {run_id for run_id, _, _, _ in done}
    yield from (f"{run_id} completed without its effect outside once" for run_id in missing)
    for place, executions in done.items():
        for execution in sorted(executions, key=lambda one: one.begun_at)[:-1]:
            begun_at = execution.begun_at
            if not any(
                strike.at - found.stored_within_s <= begun_at <= strike.until + WOKEN_S
                for strike in found.strikes
                if strike.pid == execution.pid
            ):
                yield f"{place} was done again, and nobody struck {execution.pid}"


def _messages(found: Evidence) -> Iterator[str]:
    """Closed, and posted twice only where a process was struck between posting and storing."""
    for message in found.messages:
        interrupt_id = _interrupt_of(message)
        if any(block.get("type") == "actions" for block in message.blocks):
            yield f"{interrupt_id}: its message {message.ts} still has buttons"
        record = found.interrupts.get(interrupt_id)
        if record is None:
            continue
        yield from (
            f"{interrupt_id}: its message is not settled"
            for delivery in record.deliveries
            if delivery.receipt is not None and delivery.settled_at is None
        )
        is_known = any((delivery.receipt or {}).get("ts") == message.ts for delivery in record.deliveries)
        if not is_known and not any(_fits(found, strike, message.versions[0].at, None) for strike in found.strikes):
            yield f"{interrupt_id} was asked twice, and nobody was struck just then: {message.ts}"


def _was_struck(found: Evidence, execution: Execution, only: signal.Signals | None = None) -> bool:
    return any(
        strike.pid == execution.pid
        and only in (None, strike.signal)
        and _fits(found, strike, execution.begun_at, execution.done_at)
        for strike in found.strikes
    )


def _fits(found: Evidence, strike: Strike, begun_at: float, done_at: float | None) -> bool:
    """It hit its process while something was done, or before its result could be stored."""
    last = begun_at if done_at is None else done_at
    match strike.signal:
        case signal.SIGKILL:
            lived_s = strike.at - last - _stood_still_s(found, strike.pid, last, strike.at)
            return begun_at <= strike.at + WOKEN_S and lived_s <= found.stored_within_s
        case signal.SIGSTOP:
            is_long = strike.lasted_s > LEASE_S * LATE
            return is_long and begun_at <= strike.until + WOKEN_S and strike.at - last <= found.stored_within_s
        case _:
            return False


def _stood_still_s(found: Evidence, pid: int, since: float, until: float) -> float:
    """How long a process could not have stored anything between two moments."""
    held = [strike for strike in found.strikes if (strike.signal, strike.pid) == (signal.SIGSTOP, pid)]
    return sum(max(0.0, min(strike.until, until) - max(strike.at, since)) for strike in held)


def _is_winner(found: Evidence, click: Click) -> bool:
    record = found.interrupts.get(click.interrupt_id)
    response = record.response if record else None
    return response is not None and (response.responder, response.option) == (f"slack:T1/{click.user}", click.option)


def _unstored(found: Evidence) -> list[Execution]:
    return [one for one in found.executions if one.token not in found.stored.get(one.place, ())]


def _given_up(found: Evidence) -> int:
    """Places of effects that were begun and never stored: their runs had ended, or gone back, by then."""
    return len({one.place for one in _unstored(found)} - {place for place in found.stored if found.stored[place]})


def copies(found: Evidence) -> Counter[str]:
    """How often each question stands in Slack."""
    return Counter(_interrupt_of(message) for message in found.messages)


def _interrupt_of(message: Message) -> str:
    assert message.metadata is not None, "only questions were collected"
    payload: Any = message.metadata["event_payload"]
    return str(payload["interrupt_id"])
