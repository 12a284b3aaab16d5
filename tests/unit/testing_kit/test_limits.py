"""Every limit: at it Slack takes the payload, one past it Slack says which and where."""

import pytest
from pydantic import JsonValue

from spectra_bot.testing.block_limits import Surface, check_blocks
from spectra_bot.testing.limits import check_message, check_metadata, cut
from spectra_bot.testing.refusals import RefusedError
from tests.unit.testing_kit.blocks import (
    Block,
    actions,
    button,
    options,
    plain,
    section,
    select,
    text_input,
)


def confirm(title: int = 5, text: int = 5, yes: int = 5) -> Block:
    return {
        "title": plain("t" * title),
        "text": plain("t" * text),
        "confirm": plain("y" * yes),
        "deny": plain("n"),
    }


def fields(count: int, length: int = 5) -> Block:
    return {"type": "section", "fields": [plain("f" * length)] * count}


def boxes(count: int) -> Block:
    return actions({"type": "checkboxes", "action_id": "a", "options": options(count)})


def one_option(text: int, value: int) -> Block:
    return actions({**select(), "options": [{"text": plain("t" * text), "value": "v" * value}]})


def overflow(count: int) -> Block:
    return actions({"type": "overflow", "action_id": "a", "options": options(count)})


def table(rows: int, cells: int) -> Block:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * cells] * rows}


def context(count: int) -> Block:
    return {"type": "context", "elements": [plain("c")] * count}


def header(length: int) -> Block:
    return {"type": "header", "text": plain("h" * length)}


LESS = "must be less than"
AT_THE_LIMIT: list[tuple[str, Block, Block, str, str]] = [
    (
        "section text",
        section("x" * 3000),
        section("x" * 3001),
        "/blocks/0/text/text",
        f"{LESS} 3001 characters",
    ),
    ("fields", fields(10), fields(11), "/blocks/0/fields", "no more than 10 items allowed"),
    ("field text", fields(1, 2000), fields(1, 2001), "/blocks/0/fields/0/text", f"{LESS} 2001 characters"),
    ("header", header(150), header(151), "/blocks/0/text/text", f"{LESS} 151 characters"),
    ("context", context(10), context(11), "/blocks/0/elements", "no more than 10 items allowed"),
    (
        "actions",
        actions(*[button(action_id=f"a{n}") for n in range(25)]),
        actions(*[button(action_id=f"a{n}") for n in range(26)]),
        "/blocks/0/elements",
        "no more than 25 items allowed",
    ),
    (
        "button text",
        actions(button("b" * 75)),
        actions(button("b" * 76)),
        "/blocks/0/elements/0/text/text",
        f"{LESS} 76 characters",
    ),
    (
        "button value",
        actions(button(value="v" * 2000)),
        actions(button(value="v" * 2001)),
        "/blocks/0/elements/0/value",
        f"{LESS} 2001 characters",
    ),
    (
        "button url",
        actions(button(url="u" * 3000)),
        actions(button(url="u" * 3001)),
        "/blocks/0/elements/0/url",
        f"{LESS} 3001 characters",
    ),
    (
        "action_id",
        actions(button(action_id="a" * 255)),
        actions(button(action_id="a" * 256)),
        "/blocks/0/elements/0/action_id",
        f"{LESS} 256 characters",
    ),
    (
        "block_id",
        section(block_id="b" * 255),
        section(block_id="b" * 256),
        "/blocks/0/block_id",
        f"{LESS} 256 characters",
    ),
    (
        "select options",
        actions(select(100)),
        actions(select(101)),
        "/blocks/0/elements/0/options",
        "no more than 100 items allowed",
    ),
    (
        "option text",
        one_option(75, 5),
        one_option(76, 5),
        "/blocks/0/elements/0/options/0/text/text",
        f"{LESS} 76 characters",
    ),
    (
        "option value",
        one_option(5, 150),
        one_option(5, 151),
        "/blocks/0/elements/0/options/0/value",
        f"{LESS} 151 characters",
    ),
    ("overflow", overflow(5), overflow(6), "/blocks/0/elements/0/options", "no more than 5 items allowed"),
    ("checkboxes", boxes(10), boxes(11), "/blocks/0/elements/0/options", "no more than 10 items allowed"),
    (
        "confirm title",
        actions(button(confirm=confirm(title=100))),
        actions(button(confirm=confirm(title=101))),
        "/blocks/0/elements/0/confirm/title/text",
        f"{LESS} 101 characters",
    ),
    (
        "confirm text",
        actions(button(confirm=confirm(text=300))),
        actions(button(confirm=confirm(text=301))),
        "/blocks/0/elements/0/confirm/text/text",
        f"{LESS} 301 characters",
    ),
    (
        "confirm button",
        actions(button(confirm=confirm(yes=30))),
        actions(button(confirm=confirm(yes=31))),
        "/blocks/0/elements/0/confirm/confirm/text",
        f"{LESS} 31 characters",
    ),
    ("table rows", table(100, 1), table(101, 1), "/blocks/0/rows", "no more than 100 items allowed"),
    ("table cells", table(1, 20), table(1, 21), "/blocks/0/rows/0", "no more than 20 items allowed"),
    (
        "style",
        actions(button(style="danger")),
        actions(button(style="warning")),
        "/blocks/0/elements/0/style",
        "must be one of danger, primary",
    ),
    ("empty text", section("x"), section(""), "/blocks/0/text/text", "must be more than 0 characters"),
    (
        "empty button",
        actions(button("b")),
        actions(button("")),
        "/blocks/0/elements/0/text/text",
        "must be more than 0 characters",
    ),
    (
        "button markup",
        actions(button()),
        actions({"type": "button", "text": {"type": "mrkdwn", "text": "*b*"}}),
        "/blocks/0/elements/0/text/type",
        "unsupported type: mrkdwn",
    ),
    ("unknown block", section(), {"type": "sektion"}, "/blocks/0/type", "unsupported type: sektion"),
    (
        "unknown element",
        actions(button()),
        actions({"type": "knob"}),
        "/blocks/0/elements/0/type",
        "unsupported type: knob",
    ),
    (
        "unknown key",
        actions(button()),
        actions(button(disabled=True)),
        "/blocks/0/elements/0",
        "invalid additional property: disabled",
    ),
    ("missing key", actions(button()), {"type": "actions"}, "/blocks/0", "missing required field: elements"),
    (
        "no options",
        actions(select(1)),
        actions(select(0)),
        "/blocks/0/elements/0/options",
        "no fewer than 1 items",
    ),
    (
        "action_id twice in a block",
        actions(button(action_id="a"), button(action_id="b")),
        actions(button(action_id="a"), button(action_id="a")),
        "/blocks/0/elements/1/action_id",
        "already exists",
    ),
    (
        "initial option",
        actions(select(initial_option=options()[0])),
        actions(select(initial_option={"text": plain("Other"), "value": "other"})),
        "/blocks/0/elements/0",
        "initial option must exactly match",
    ),
    (
        "option groups",
        actions({"type": "static_select", "option_groups": [{"label": plain("g" * 75), "options": options()}]}),
        actions({"type": "static_select", "option_groups": [{"label": plain("g" * 76), "options": options()}]}),
        "/blocks/0/elements/0/option_groups/0/label/text",
        f"{LESS} 76 characters",
    ),
    (
        "image",
        {"type": "image", "image_url": "https://x", "alt_text": "a"},
        {"type": "image", "image_url": "https://x"},
        "/blocks/0",
        "missing required field: alt_text",
    ),
    (
        "text input",
        text_input(element={"type": "plain_text_input", "max_length": 3000}),
        text_input(element={"type": "plain_text_input", "max_length": 3001}),
        "/blocks/0/element/max_length",
        "must be between 0 and 3000",
    ),
]


@pytest.mark.parametrize(
    ("good", "bad", "pointer", "message"),
    [case[1:] for case in AT_THE_LIMIT],
    ids=[case[0] for case in AT_THE_LIMIT],
)
def test_a_block_is_taken_at_its_limit_and_refused_past_it(good: Block, bad: Block, pointer: str, message: str) -> None:
    check_message("Text", [good])

    with pytest.raises(RefusedError) as refusal:
        check_message("Text", [bad])

    assert refusal.value.error == "invalid_blocks"
    assert any(f.pointer == pointer and message in f.message for f in refusal.value.findings), refusal.value


def error_of_message(text: str, blocks: list[JsonValue], *, is_update: bool = False) -> str | None:
    try:
        check_message(text, blocks, is_update=is_update)
    except RefusedError as refusal:
        return refusal.error
    return None


def test_a_message_has_at_most_fifty_blocks() -> None:
    fifty: list[JsonValue] = [{"type": "divider"} for _ in range(50)]

    assert error_of_message("Text", fifty) is None
    assert error_of_message("Text", [*fifty, {"type": "divider"}]) == "invalid_blocks"


def test_a_block_id_stands_once_in_a_message() -> None:
    assert error_of_message("Text", [section(block_id="a"), section(block_id="b")]) is None
    assert error_of_message("Text", [section(block_id="a"), section(block_id="a")]) == "invalid_blocks"


def test_an_action_id_may_come_back_in_another_block() -> None:
    assert error_of_message("Text", [actions(button(action_id="a")), actions(button(action_id="a"))]) is None


def test_blocks_that_are_long_in_total_are_too_long() -> None:
    # 4 blocks take 160 of 12,000 characters.
    three = [section("x" * 2960)] * 3

    assert error_of_message("Text", [*three, section("x" * 2960)]) is None
    assert error_of_message("Text", [*three, section("x" * 2961)]) == "msg_blocks_too_long"


@pytest.mark.parametrize(
    ("lengths", "pointers"),
    [
        ([12_000], []),
        ([12_001], ["/blocks/0/text"]),
        ([6000, 6000], []),
        ([6000, 6001], ["/blocks"]),
    ],
)
def test_markdown_blocks_have_twelve_thousand_characters_in_total(lengths: list[int], pointers: list[str]) -> None:
    blocks: list[JsonValue] = [{"type": "markdown", "text": "m" * length} for length in lengths]

    findings = list(check_blocks(blocks, "/blocks", Surface.MESSAGE))

    assert [finding.pointer for finding in findings] == pointers


def test_only_a_modal_shows_an_alert() -> None:
    alert: JsonValue = {"type": "alert", "text": plain("Careful")}

    assert list(check_blocks([alert], "/blocks", Surface.MESSAGE))
    assert not list(check_blocks([alert], "/view/blocks", Surface.MODAL))


def test_a_message_needs_text_or_blocks() -> None:
    assert error_of_message("", []) == "no_text"
    assert error_of_message("  ", []) == "no_text"
    assert error_of_message("", [section()]) is None


def test_a_posted_text_is_cut_and_an_updated_one_refused() -> None:
    assert error_of_message("x" * 50_000, []) is None
    assert len(cut("x" * 50_000)) == 40_000
    assert error_of_message("x" * 4000, [], is_update=True) is None
    assert error_of_message("x" * 4001, [], is_update=True) == "msg_too_long"


def test_blocks_that_are_no_objects_have_the_wrong_format() -> None:
    assert error_of_message("Text", ["section"]) == "invalid_blocks_format"


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("text", "invalid_metadata_format"),
        ({"event_type": "asked"}, "invalid_metadata_schema"),
        ({"event_type": "asked", "event_payload": {"run": "r-1"}}, None),
        ({}, None),
    ],
)
def test_metadata_is_an_event_with_an_object(metadata: JsonValue, error: str | None) -> None:
    if error is None:
        check_metadata(metadata)
        return

    with pytest.raises(RefusedError, match=error):
        check_metadata(metadata)
