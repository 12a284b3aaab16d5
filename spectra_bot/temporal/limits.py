"""How much Temporal takes. With a place for large payloads only the operator's own limit is left."""

from __future__ import annotations

from dataclasses import dataclass

from spectra_bot.json_values import LiftableLimit

LIFTED_BY = "SPECTRA_TEMPORAL_PAYLOADS"
"""The setting that names a place for large payloads."""
MAX_PAYLOAD_BYTES = LiftableLimit(256 * 1024, LIFTED_BY)
"""The largest stored value; Temporal itself refuses larger payloads, and slows down well before."""
MAX_CALL_BYTES = LiftableLimit(1_500_000, LIFTED_BY)
"""What a step may be given in all. Temporal refuses a payload of 2 MB, and would fail the whole workflow task."""
MAX_LOG_BYTES = LiftableLimit(1_500_000, LIFTED_BY)
"""The largest log with which a run can go on; Temporal refuses a payload of 2 MB."""
MAX_BLOB_BYTES = LiftableLimit(2 * 1024 * 1024, LIFTED_BY)
"""The largest payload that Temporal takes. It would end the run for a larger one, so none is ever sent."""
MAX_TASK_BYTES = 3_000_000
"""As much activities are given in one workflow task, beside what else it tells. Temporal takes a call of 4 MB."""
INLINE_BYTES = 256 * 1024
"""The largest payload that goes through Temporal itself where there is a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """When a run goes on in a new execution, because its history in Temporal has become long.

    The run counts by itself: what Temporal says of the length may come late, and be different in a replay.
    """

    events: int = 4_000
    """After about so many of Temporal's events it does, as soon as nothing is under way. Temporal ends it at 51,200."""
    must_events: int = 10_000
    """After so many it begins nothing more until it can."""
    given_bytes: int = 2_000_000
    """After activities were given so much; Temporal ends it at 50 MB, of which this is less than half mostly."""


RENEWAL = Renewal()
EVENTS_EACH = 5
"""About so many of Temporal's events an activity takes, or what a run stores, workflow tasks among them."""
