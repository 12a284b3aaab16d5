"""A run with a long history goes on in a new execution, with all that has happened to it."""

from __future__ import annotations

from pydantic_core import to_json
from temporalio import workflow

from spectra_bot.temporal.commands import RunCommands
from spectra_bot.temporal.limits import EVENTS_EACH, MAX_LOG_BYTES
from spectra_bot.temporal.messages import RunInput
from spectra_bot.temporal.record import Record


class Renewing:
    """Has an execution of a run end before Temporal's limits on its history would end the run.

    Args:
        given: what this execution began with.
    """

    def __init__(self, given: RunInput, record: Record, commands: RunCommands) -> None:
        self._given = given
        self._record = record
        self._commands = commands
        self._is_too_large = False
        """Temporal would not take its log as the beginning of a new execution."""

    @property
    def is_due(self) -> bool:
        """Its history is so long that it should go on in a new one, and it can, or must stop to."""
        renewal, events = self._given.renewal, self._events_here()
        is_long = events > renewal.events or self._commands.room.given > renewal.given_bytes
        if self._is_too_large or not is_long:
            return False
        must_stop = events > renewal.must_events and not self._commands.drains
        return must_stop or self._commands.can_be_renewed

    def renew_if_due(self) -> None:
        """Go on in a new execution, where that is due; deadlines and pauses are set anew from what has happened.

        Raises:
            ContinueAsNewError: it is due, and can be; Temporal takes it from there.
        """
        if not self.is_due:
            return
        if not self._commands.can_be_renewed:
            self._commands.drains = True
            self._commands.stop_asking()
            return
        given = RunInput(
            shape=self._record.shape,
            entries=self._record.entries,
            lease_s=self._given.lease_s,
            first_turn_s=self._given.first_turn_s,
            has_place=self._given.has_place,
            renewal=self._given.renewal,
            handlers={
                interrupt.request.id: self._commands.handlers.names.get(interrupt.request.id, ())
                for interrupt in self._record.state.pending()
            },
        )
        if given.has_place or len(to_json(given.entries)) <= MAX_LOG_BYTES:
            workflow.continue_as_new(given)
        # It goes on here, for as long as Temporal lets it.
        self._is_too_large = True
        self._commands.drains = False
        self._commands.reconcile()

    def _events_here(self) -> int:
        """About how many of Temporal's events this execution has."""
        stored = len(self._record.entries) - len(self._given.entries)
        return EVENTS_EACH * (stored + self._commands.steps.activities + self._commands.handlers.activities)
