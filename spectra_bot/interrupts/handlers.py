"""Who puts a request in front of people, or answers for them, and what such a handler may do besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, JsonValue

from spectra_bot.interrupts.fields import JsonObject
from spectra_bot.interrupts.request import InterruptRequest, InterruptResponse


class Delivered(BaseModel):
    """A handler's word that the request stands in front of people, with what it needs to find it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt: JsonObject

    def __init__(self, receipt: Mapping[str, Any]) -> None:
        super().__init__(receipt=receipt)


class IInterruptHandler(Protocol):
    """A way to ask people, or to answer for them.

    A handler may also have a `name` (default: its class name; unique in a runner), and the methods of
    `SettlesInterrupts`, `DeliversAgain`, `DeliversGroups`, `ChecksDeliveries`, `ConcludesRuns` and `LooksAtRuns`.
    """

    async def handle(self, request: InterruptRequest) -> InterruptResponse | Delivered | None:
        """Answer the request, or put it in front of people.

        Called after the interrupt is stored; cancelled when it is answered elsewhere. What it returns all the same is
        stored, so that a message whose post had begun is closed too. One that raises leaves the interrupt pending and
        is called again later.

        Returns:
            An answer; or `Delivered` with a receipt, or None: a person will answer later.
        """
        ...


@runtime_checkable
class SettlesInterrupts(Protocol):
    """A handler that closes what it delivered."""

    async def settle(
        self, request: InterruptRequest, response: InterruptResponse, receipt: Mapping[str, JsonValue]
    ) -> None:
        """Show that the interrupt is over; called until it returns, so it must bear repetition."""
        ...


@runtime_checkable
class DeliversAgain(Protocol):
    """A handler that does something else where it may have delivered before."""

    async def handle_again(
        self, request: InterruptRequest, lost: Mapping[str, JsonValue] | None
    ) -> InterruptResponse | Delivered | None:
        """Do as `handle` does, instead of it, where an earlier call may have delivered the request.

        Its call failed, its process died before the receipt was stored, or what it had delivered is gone.

        Args:
            lost: the receipt of what is gone; None where nothing is known of the earlier call.
        """
        ...


@runtime_checkable
class DeliversGroups(Protocol):
    """A handler that puts questions in front of people together that were asked together."""

    async def handle_group(self, requests: Sequence[InterruptRequest], *, again: bool) -> Mapping[str, Delivered]:
        """Do as `handle` does, instead of it, with several open requests of one group.

        People decide about each by itself, and each is settled by itself. What was lost is handed to `handle_again`.
        Where it is cancelled, what it returns all the same is stored for each request, the answered ones too.

        Args:
            requests: in the order in which they were asked.
            again: an earlier call may have delivered them.

        Returns:
            What it delivered, by interrupt id; at least one. It is called again with the others.
        """
        ...


@runtime_checkable
class ChecksDeliveries(Protocol):
    """A handler that can tell whether what it delivered is still there."""

    async def stands(self, request: InterruptRequest, receipt: Mapping[str, JsonValue]) -> bool:
        """Tell whether people can still see the open request; False has it delivered anew.

        Called now and then, one request at a time. One that raises does not know, and is asked again later; an
        error's `retry_after_s` is the least pause before any other is looked at.
        """
        ...


def handler_name(handler: IInterruptHandler | DeliversGroups) -> str:
    """The name under which a handler's receipts and answers are stored."""
    name = getattr(handler, "name", None)
    return name if isinstance(name, str) and name else type(handler).__name__
