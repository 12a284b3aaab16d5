"""What became of a delivery, in the pure machine."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from spectra_bot import Workflow
from spectra_bot.machine import Deliver, Loss, Redeliver, Settle, StaleEvent
from spectra_bot.machine import events as e
from tests.unit.core.runs import Driven, gate

FIRST: dict[str, JsonValue] = {"ts": "1"}
SECOND: dict[str, JsonValue] = {"ts": "2"}


def asked() -> tuple[Driven, str]:
    """A run whose one question stands where handler `slack` put it first."""
    workflow = Workflow("w")
    workflow.add("ask", gate())
    run = Driven(workflow)
    interrupt_id = run.ask("ask")
    deliver(run, interrupt_id, FIRST)
    return run, interrupt_id


def deliver(run: Driven, interrupt_id: str, receipt: dict[str, JsonValue]) -> None:
    run.apply(e.InterruptDelivered(at=run.tick(), interrupt_id=interrupt_id, handler="slack", receipt=receipt))


def lose(run: Driven, interrupt_id: str, receipt: dict[str, JsonValue]) -> None:
    run.apply(e.DeliveryLost(at=run.tick(), interrupt_id=interrupt_id, handler="slack", receipt=receipt))


def test_lost_delivery_is_to_be_delivered_anew_by_the_same_handler() -> None:
    run, interrupt_id = asked()

    lose(run, interrupt_id, FIRST)

    assert Redeliver(interrupt_id, "slack") in run.commands()
    assert Deliver(interrupt_id) in run.commands()
    assert run.state.interrupts[interrupt_id].deliveries == {}


def test_what_was_delivered_anew_is_settled_in_place_of_what_was_lost() -> None:
    run, interrupt_id = asked()
    lose(run, interrupt_id, FIRST)

    deliver(run, interrupt_id, SECOND)
    run.answer(interrupt_id)

    assert Settle(interrupt_id, "slack") in run.commands()
    assert not [command for command in run.commands() if isinstance(command, Redeliver)]
    assert run.state.interrupts[interrupt_id].deliveries["slack"].receipt == SECOND


def test_losses_are_counted_and_the_newest_is_known() -> None:
    run, interrupt_id = asked()
    lose(run, interrupt_id, FIRST)
    deliver(run, interrupt_id, SECOND)

    lose(run, interrupt_id, SECOND)

    assert run.state.interrupts[interrupt_id].lost == {"slack": Loss(receipt=SECOND, times=2)}


def test_loss_of_an_earlier_delivery_changes_nothing() -> None:
    run, interrupt_id = asked()
    lose(run, interrupt_id, FIRST)
    deliver(run, interrupt_id, SECOND)

    with pytest.raises(StaleEvent, match="anew already"):
        lose(run, interrupt_id, FIRST)


def test_same_loss_told_twice_counts_once() -> None:
    run, interrupt_id = asked()
    lose(run, interrupt_id, FIRST)

    with pytest.raises(StaleEvent, match="anew already"):
        lose(run, interrupt_id, FIRST)


def test_loss_of_a_question_that_is_over_changes_nothing() -> None:
    run, interrupt_id = asked()
    run.answer(interrupt_id)

    with pytest.raises(StaleEvent, match="is over"):
        lose(run, interrupt_id, FIRST)


def test_answer_to_a_question_whose_message_is_gone_leaves_nothing_to_settle() -> None:
    run, interrupt_id = asked()
    lose(run, interrupt_id, FIRST)

    run.answer(interrupt_id)

    assert not [command for command in run.commands() if isinstance(command, Deliver | Redeliver | Settle)]
