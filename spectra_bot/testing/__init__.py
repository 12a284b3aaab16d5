"""The test kit: a Slack on loopback and a clock moved by hand, for tests of workflows that ask."""

from spectra_bot.testing.calls import Call, NotSeenError
from spectra_bot.testing.clock import ManualClock
from spectra_bot.testing.delivery import Ack, Retry, Signature
from spectra_bot.testing.fake_slack import FakeSlack
from spectra_bot.testing.faults import Delayed, Dropped, Held, RateLimited, Refused, ServerError
from spectra_bot.testing.messages import Ephemeral, Message, MessageVersion, OpenView, StoredFile
from spectra_bot.testing.people import MANIFEST_SCOPES, Channel, Installation, NotPossibleError, Person
from spectra_bot.testing.socket_mode import DisconnectReason

__all__ = [
    "MANIFEST_SCOPES",
    "Ack",
    "Call",
    "Channel",
    "Delayed",
    "DisconnectReason",
    "Dropped",
    "Ephemeral",
    "FakeSlack",
    "Held",
    "Installation",
    "ManualClock",
    "Message",
    "MessageVersion",
    "NotPossibleError",
    "NotSeenError",
    "OpenView",
    "Person",
    "RateLimited",
    "Refused",
    "Retry",
    "ServerError",
    "Signature",
    "StoredFile",
]
