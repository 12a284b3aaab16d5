"""What is proposed to a run's log: judged on the newest state, and told what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spectra_bot.engine.proposals import Propose
from spectra_bot.machine import RunState, StaleEvent, apply
from spectra_bot.machine import events as e

logger = logging.getLogger(__name__)


class Proposal(NamedTuple):
    """A change that waits to be judged."""

    propose: Propose
    future: asyncio.Future[Any] | None = None
    judged: Callable[[bool], None] | None = None
    """Instead of a future: a result that nobody waits for, and that is stored however long the store fails."""


def judge(state: RunState, group: Sequence[Proposal]) -> tuple[RunState, list[e.Event], list[tuple[Proposal, object]]]:
    """What a group of proposals makes of the newest state: what is to be stored then, and what to tell each of them."""
    events: list[e.Event] = []
    outcomes: list[tuple[Proposal, object]] = []
    for proposal in group:
        after = state
        try:
            wanted, outcome = proposal.propose(state)
            for event in wanted:
                after = apply(after, event)
        except StaleEvent as stale:
            logger.debug("change came too late", extra={"run_id": state.run_id, "why": stale.what})
            outcomes.append((proposal, stale))
        except Exception as error:
            if proposal.future is None:
                logger.exception("result does not fit its run", extra={"run_id": state.run_id})
            outcomes.append((proposal, error))
        else:
            state = after
            events.extend(wanted)
            outcomes.append((proposal, outcome))
    return state, events, outcomes


def tell_proposer(future: asyncio.Future[Any] | None, outcome: object) -> bool:
    """Tell a proposer the outcome; False where nobody waits for it."""
    if future is None:
        return False
    if not future.done():
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    return True
