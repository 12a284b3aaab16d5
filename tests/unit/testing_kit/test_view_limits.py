"""The limits of modals and home views, and of the errors that mark their fields."""

import json

import pytest
from pydantic import JsonValue

from spectra_bot.testing.limits import check_errors, check_view
from spectra_bot.testing.refusals import RefusedError
from tests.unit.testing_kit.blocks import Block, modal, plain, section, text_input


def without(view: Block, key: str) -> Block:
    return {name: value for name, value in view.items() if name != key}


OF_A_VIEW: list[tuple[str, Block, Block, str]] = [
    ("title", modal(title=plain("t" * 24)), modal(title=plain("t" * 25)), "/view/title/text"),
    ("submit", modal(submit=plain("t" * 24)), modal(submit=plain("t" * 25)), "/view/submit/text"),
    ("close", modal(close=plain("t" * 24)), modal(close=plain("t" * 25)), "/view/close/text"),
    (
        "metadata",
        modal(private_metadata="m" * 3000),
        modal(private_metadata="m" * 3001),
        "/view/private_metadata",
    ),
    ("callback", modal(callback_id="c" * 255), modal(callback_id="c" * 256), "/view/callback_id"),
    ("external id", modal(external_id="e" * 255), modal(external_id="e" * 256), "/view/external_id"),
    ("no title", modal(), without(modal(), "title"), "/view"),
    ("submit for inputs", without(modal(section()), "submit"), without(modal(), "submit"), "/view"),
    (
        "blocks",
        modal(*[section() for _ in range(100)]),
        modal(*[section() for _ in range(101)]),
        "/view/blocks",
    ),
    (
        "block id",
        modal(text_input("a"), text_input("b")),
        modal(text_input("a"), text_input("a")),
        "/view/blocks/1/block_id",
    ),
    ("type", modal(), modal(type="window"), "/view/type"),
]


@pytest.mark.parametrize(
    ("good", "bad", "pointer"), [case[1:] for case in OF_A_VIEW], ids=[case[0] for case in OF_A_VIEW]
)
def test_a_modal_is_taken_at_its_limit_and_refused_past_it(good: Block, bad: Block, pointer: str) -> None:
    check_view(good)

    with pytest.raises(RefusedError) as refusal:
        check_view(bad)

    assert refusal.value.error == "invalid_arguments"
    assert pointer in [finding.pointer for finding in refusal.value.findings], refusal.value


def test_a_view_has_at_most_250_kilobytes() -> None:
    sections = [section("x" * 2900) for _ in range(84)]
    room = 250_000 - len(json.dumps(modal(*sections, section("x")))) + 1

    check_view(modal(*sections, section("x" * room)))

    with pytest.raises(RefusedError, match="view_too_large"):
        check_view(modal(*sections, section("x" * (room + 1))))


def test_a_home_view_has_at_most_a_hundred_blocks() -> None:
    hundred: list[JsonValue] = [section() for _ in range(100)]
    check_view({"type": "home", "blocks": hundred})

    with pytest.raises(RefusedError, match="no more than 100 items allowed"):
        check_view({"type": "home", "blocks": [*hundred, section()]})


def test_the_errors_of_a_submission_name_inputs() -> None:
    view = modal(section(block_id="plan"), text_input("notes"))
    check_errors({"notes": "Too short"}, view)

    with pytest.raises(RefusedError, match="plan"):
        check_errors({"plan": "Too short"}, view)
