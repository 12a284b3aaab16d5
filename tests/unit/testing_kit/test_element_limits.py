"""The limits of what stands inside a block, at their edges."""

from collections.abc import Callable

import pytest
from pydantic import JsonValue

from spectra_bot.testing.block_limits import Surface, check_blocks
from tests.unit.testing_kit.blocks import (
    Block,
    actions,
    button,
    options,
    plain,
    section,
    select,
    text_element,
    text_input,
)


def deny(length: int) -> Block:
    return actions(button(confirm={"title": plain("t"), "text": plain("t"), "deny": plain("n" * length)}))


def described(length: int) -> Block:
    option: JsonValue = {"text": plain("o"), "value": "v", "description": plain("d" * length)}
    return actions(select(options=[option]))


def groups(count: int, size: int = 1) -> Block:
    group: JsonValue = {"label": plain("g"), "options": options(size)}
    return actions({"type": "static_select", "option_groups": [group] * count})


def image(url: int = 9, alt: int = 3, title: int = 3) -> Block:
    return {"type": "image", "image_url": "u" * url, "alt_text": "a" * alt, "title": plain("t" * title)}


EDGES: list[tuple[str, int, Callable[[int], Block], str]] = [
    ("deny", 30, deny, "/0/elements/0/confirm/deny/text"),
    (
        "accessibility label",
        75,
        lambda n: actions(button(accessibility_label="a" * n)),
        "/0/elements/0/accessibility_label",
    ),
    ("option description", 75, described, "/0/elements/0/options/0/description/text"),
    ("option groups", 100, groups, "/0/elements/0/option_groups"),
    ("options of a group", 100, lambda n: groups(1, n), "/0/elements/0/option_groups/0/options"),
    (
        "radio buttons",
        10,
        lambda n: section(accessory={"type": "radio_buttons", "options": options(n)}),
        "/0/accessory/options",
    ),
    (
        "placeholder",
        150,
        lambda n: actions(select(placeholder=plain("p" * n))),
        "/0/elements/0/placeholder/text",
    ),
    ("min_length", 3000, lambda n: text_input(element=text_element(min_length=n)), "/0/element/min_length"),
    (
        "initial value",
        3000,
        lambda n: text_input(element=text_element(initial_value="i" * n)),
        "/0/element/initial_value",
    ),
    ("label", 2000, lambda n: text_input(label=plain("l" * n)), "/0/label/text"),
    ("hint", 2000, lambda n: text_input(hint=plain("h" * n)), "/0/hint/text"),
    ("context text", 3000, lambda n: {"type": "context", "elements": [plain("c" * n)]}, "/0/elements/0/text"),
    ("image url", 3000, lambda n: image(url=n), "/0/image_url"),
    ("alt text", 2000, lambda n: image(alt=n), "/0/alt_text"),
    ("image title", 2000, lambda n: image(title=n), "/0/title/text"),
    (
        "image of a section",
        3000,
        lambda n: section(accessory={"type": "image", "alt_text": "a", "image_url": "u" * n}),
        "/0/accessory/image_url",
    ),
    (
        "alt text of a section",
        2000,
        lambda n: section(accessory={"type": "image", "alt_text": "a" * n, "image_url": "u"}),
        "/0/accessory/alt_text",
    ),
]


@pytest.mark.parametrize(("limit", "build", "pointer"), [edge[1:] for edge in EDGES], ids=[edge[0] for edge in EDGES])
def test_an_element_is_taken_at_its_limit_and_refused_past_it(
    limit: int, build: Callable[[int], Block], pointer: str
) -> None:
    at_it = list(check_blocks([build(limit)], "", Surface.MESSAGE))
    past_it = list(check_blocks([build(limit + 1)], "", Surface.MESSAGE))

    assert at_it == []
    assert [finding.pointer for finding in past_it] == [pointer]
