"""The promises on Temporal, held against the evidence, and how long it took until things went on. Pure."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from spectra_bot.embedded.ownership import LATE, LEASE_S
from spectra_bot.testing import Message
from tests.chaos.killing import verdict as killing
from tests.chaos.killing.bots import Strike
from tests.chaos.killing.evidence import Evidence
from tests.chaos.killing.verdict import WOKEN_S
from tests.chaos.temporal.evidence import Found, Outage

UNREACHED = ("click not recorded", "message not brought up to date", "run not followed")
"""What a bot logs that could not ask or change a run just then. Whoever clicked was told so, or got no ack; whoever
settles a message shows the rest."""
DROPPED = "temporalio.core: There are unprocessed protocol messages"
"""What the SDK logs that forgot an Update. Temporal tells its sender; a click that was acked counts all the same."""
GOES_ON = "The run goes on."
"""What a message says only until its question is settled."""


def problems(found: Found) -> Iterator[str]:
    """Every broken promise."""
    yield from killing.problems(as_strikes(found))
    yield from _waits(found)
    yield from _posts(found)


def figures(found: Found) -> Counter[str]:
    """What is counted, by name."""
    counted = killing.figures(found.evidence)
    told = {said.user for said in found.evidence.told if killing.NOT_RECORDED in said.text.lower()}
    counted["people told that it was not recorded"] = len(told)
    counted["messages left as they were before the end"] = len(_left_at_work(found.evidence))
    counted["waits that told the end"] = len(found.waited)
    counted["runs in more than one history"] = sum(count > 1 for count in found.executions.values())
    counted["turns that failed and were done again"] = len(found.turns_again)
    counted["Updates that the SDK dropped"] = sum(DROPPED in line for line in found.evidence.errors)
    counted["ends told"] = sum(bool(posts) for posts in found.ends_told)
    counted["ends told twice"] = sum(len(posts) > 1 for posts in found.ends_told)
    return counted


def begun_elsewhere_s(evidence: Evidence) -> list[float]:
    """For each effect that a killed process had in hand: how long after the kill it was begun by another."""
    took = []
    for one in evidence.executions:
        if one.token not in evidence.stored.get(one.place, ()):
            struck = [s.at for s in evidence.strikes if s.signal == signal.SIGKILL and s.pid == one.pid]
            later = [
                other.begun_at
                for other in evidence.executions
                if other.place == one.place and other.begun_at > one.begun_at and other.pid != one.pid
            ]
            took += [min(later) - max(struck)] if struck and later else []
    return took


def decided_again_s(found: Found) -> list[float]:
    """For each outage: how long after its end the first decision of a person was stored."""
    took = []
    decided = [
        record.response.responded_at.timestamp()
        for record in found.evidence.interrupts.values()
        if record.response is not None and record.response.responder and record.response.responded_at is not None
    ]
    for outage in found.outages:
        until_next = min((other.at for other in found.outages if other.at > outage.at), default=float("inf"))
        later = [at for at in decided if outage.until <= at < until_next]
        took += [min(later) - outage.until] if later else []
    return took


def as_strikes(found: Found) -> Evidence:
    """The evidence as the judges of killed processes read it.

    While Temporal is away no process can say that it lives, so all of them stand still for it. What a bot could not ask
    or change is no error: whoever clicked was told so, or got no ack.
    """
    evidence = found.evidence
    pids = {execution.pid for execution in evidence.executions} | {one.pid for one in evidence.outside_once}
    silent = [
        Strike(signal=signal.SIGSTOP, pid=pid, at=outage.at, until=outage.until)
        for outage in found.outages
        for pid in pids
        if _outlasts(outage)
    ]
    errors = [line for line in evidence.errors if not any(said in line for said in (*UNREACHED, DROPPED))]
    return replace(evidence, strikes=[*evidence.strikes, *silent], errors=errors)


def _waits(found: Found) -> Iterator[str]:
    """Who waited for a run was told how it ended."""
    for run_id, status in found.waited:
        ended = found.evidence.runs.get(run_id, ("lost", False, ""))[0]
        if status != ended:
            yield f"{run_id} is {ended}, and who waited for it was told that it is {status}"


def _posts(found: Found) -> Iterator[str]:
    """Nothing was posted twice but where its process was killed, or silent, before it could store that."""
    for message in _left_at_work(found.evidence):
        if not _was_cut_off(found, message):
            yield f"a message says that its run goes on, and nobody was killed just then: {message.ts}"
    for posts in found.ends_told:
        for post in posts[:-1]:
            if not _was_cut_off(found, post):
                yield f"the end of a run was told twice, and nobody was killed just then: {post.ts}"
    if found.may_look:
        for interrupt_id, count in killing.copies(found.evidence).items():
            if count > 1:
                yield f"{interrupt_id} stands {count} times, though the bot may look"


def _was_cut_off(found: Found, post: Message) -> bool:
    at = post.versions[-1].at
    killed = (strike.at for strike in found.evidence.strikes if strike.signal == signal.SIGKILL)
    within_s = found.evidence.stored_within_s
    return any(-WOKEN_S <= moment - at <= within_s for moment in killed) or any(
        outage.at - within_s <= at <= outage.until for outage in found.outages if _outlasts(outage)
    )


def _outlasts(outage: Outage) -> bool:
    return outage.until - outage.at > LEASE_S * LATE


def _left_at_work(evidence: Evidence) -> list[Message]:
    return [message for message in evidence.messages if GOES_ON in message.shown]
