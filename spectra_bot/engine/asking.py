"""What is said to a handler, and what it may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from spectra_bot.engine.words import text_of
from spectra_bot.errors import DefinitionError
from spectra_bot.interrupts import (
    Delivered,
    DeliversAgain,
    DeliversGroups,
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    SettlesInterrupts,
    handler_name,
)
from spectra_bot.json_values import encode
from spectra_bot.machine import InterruptState
from spectra_bot.runs import ConcludesRuns, RunResult

FIRST_TURN_S = 5.0
"""How long a handler may take before the next is asked beside it."""
HANDLERS_S = 5.0
"""How long a run that rests waits for its handlers' first turn."""
MAX_ERROR = 1000
"""As many characters of a handler's error are stored."""


async def hand_over(
    handler: IInterruptHandler,
    request: InterruptRequest,
    *,
    is_again: bool,
    lost: Mapping[str, JsonValue] | None,
    limit: int,
) -> InterruptResponse | dict[str, JsonValue] | None:
    """Have a handler deliver a request: its answer, the receipt of its delivery, or None.

    Args:
        is_again: an earlier call may have delivered it.
        lost: the receipt of what is gone.
    """
    if is_again and isinstance(handler, DeliversAgain):
        answer = await handler.handle_again(request, lost)
    else:
        answer = await handler.handle(request)
    name = handler_name(handler)
    match answer:
        case InterruptResponse():
            responder = answer.responder or f"handler:{name}"
            return answer.model_copy(update={"responder": responder, "interrupt_id": request.id})
        case Delivered():
            encode(answer.receipt, f"receipt of {name}", limit)
            return answer.receipt
        case None:
            return None
        case _:  # what a handler without types returns
            raise DefinitionError(
                f"handler {name} returned {type(answer).__name__}; InterruptResponse, Delivered or None is needed"
            )


async def hand_over_group(
    handler: DeliversGroups, requests: Sequence[InterruptRequest], *, is_again: bool, limit: int
) -> dict[str, dict[str, JsonValue]]:
    """Have a handler deliver a group's requests together: the receipts of those that it delivered, by id."""
    told = await handler.handle_group(requests, again=is_again)
    name = handler_name(handler)
    receipts = {request.id: told[request.id].receipt for request in requests if request.id in told}
    if not receipts:
        raise DefinitionError(f"handler {name} delivered none of {len(requests)} questions that it was given")
    for receipt in receipts.values():
        encode(receipt, f"receipt of {name}", limit)
    return receipts


async def settle(handler: IInterruptHandler, interrupt: InterruptState, receipt: Mapping[str, JsonValue]) -> None:
    """Have a handler show that an interrupt is over, if it can."""
    if isinstance(handler, SettlesInterrupts) and interrupt.response is not None:
        # People read why a question closed without an answer where they would read an answer's notes.
        notes = interrupt.response.notes or interrupt.closed_why
        told = {"notes": notes, "superseded_by": interrupt.superseded_by}
        await handler.settle(interrupt.request, interrupt.response.model_copy(update=told), receipt)


async def conclude(
    handler: IInterruptHandler, result: RunResult, request: InterruptRequest, receipt: Mapping[str, JsonValue]
) -> None:
    """Have a handler tell how a run ended, if it can."""
    if isinstance(handler, ConcludesRuns):
        await handler.conclude(result, request, receipt)


def in_words(error: BaseException) -> str:
    """A handler's error as it is kept; it may quote anything."""
    said = f"{type(error).__name__}: {text_of(error)}".encode(errors="backslashreplace").decode()
    return said[:MAX_ERROR]
