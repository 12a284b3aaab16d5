"""What Slack hands out for a while: trigger ids and response urls."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spectra_bot.testing.refusals import RefusedError

TRIGGER_LIFE_S = 3.0
RESPONSE_URL_LIFE_S = 30 * 60.0
RESPONSE_URL_USES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Whom and where it is for, since when, and how often it was used."""

    user: str
    channel: str = ""
    message_ts: str | None = None
    thread_ts: str | None = None
    is_ephemeral: bool = False
    view_id: str | None = None
    issued_at: float
    uses: int = 0


class TicketBook:
    """The trigger ids and response urls of a workspace, by their secret part."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Judge ages by `now`, in seconds."""
        self._now = now
        self._triggers: dict[str, Ticket] = {}
        self._response_urls: dict[str, Ticket] = {}

    def issue_trigger(self, trigger_id: str, *, user: str, view_id: str | None = None) -> None:
        """Make a trigger id good for 3 seconds and one use."""
        self._triggers[trigger_id] = Ticket(user=user, view_id=view_id, issued_at=self._now())

    def exchange_trigger(self, trigger_id: str) -> Ticket:
        """Use a trigger id up.

        Raises:
            RefusedError: `invalid_trigger_id`, `exchanged_trigger_id` or `expired_trigger_id`.
        """
        ticket = self._triggers.get(trigger_id)
        if ticket is None:
            raise RefusedError("invalid_trigger_id")
        if ticket.uses:
            raise RefusedError("exchanged_trigger_id")
        if self._now() - ticket.issued_at > TRIGGER_LIFE_S:
            raise RefusedError("expired_trigger_id")
        self._triggers[trigger_id] = replace(ticket, uses=1)
        return ticket

    def issue_response_url(self, key: str, ticket: Ticket) -> None:
        """Make a response url good for 30 minutes and 5 uses."""
        self._response_urls[key] = ticket

    def use_response_url(self, key: str) -> Ticket:
        """Count one use of a response url.

        Raises:
            RefusedError: `expired_url` or `used_url`; both are answered with HTTP 404.
        """
        ticket = self._response_urls.get(key)
        if ticket is None or self._now() - ticket.issued_at > RESPONSE_URL_LIFE_S:
            raise RefusedError("expired_url")
        if ticket.uses >= RESPONSE_URL_USES:
            raise RefusedError("used_url")
        self._response_urls[key] = replace(ticket, uses=ticket.uses + 1)
        return ticket
