"""What Slack accepts as the blocks of a message, a modal or a home view. Pure."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import JsonValue

from spectra_bot.testing.element_limits import (
    ANY_TEXT,
    Check,
    Findings,
    check_element,
    check_items,
    check_keys,
    check_length,
    check_text,
)
from spectra_bot.testing.json_shapes import JsonObject, as_list, as_object, as_text
from spectra_bot.testing.refusals import Finding

MARKDOWN_TOTAL = 12_000


class Surface(StrEnum):
    """Where blocks are shown."""

    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


MOST_BLOCKS: Mapping[Surface, int] = MappingProxyType({Surface.MESSAGE: 50, Surface.MODAL: 100, Surface.HOME: 100})

_INPUTS = frozenset(
    {
        "plain_text_input", "number_input", "email_text_input", "url_text_input",
        "static_select", "multi_static_select", "users_select", "multi_users_select",
        "checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker",
    }
)  # fmt: skip
_ACTIONS = (_INPUTS - {"number_input", "email_text_input", "url_text_input"}) | {"button", "overflow"}
_ACCESSORIES = (_ACTIONS - {"plain_text_input"}) | {"image"}


def _section(block: JsonObject, at: str) -> Findings:
    if "text" not in block and "fields" not in block:
        yield Finding(at, "missing required field: text")
    yield from check_text(block.get("text"), f"{at}/text", 3000, ANY_TEXT)
    if "fields" in block:
        yield from check_items(block["fields"], f"{at}/fields", 10)
        for index, field in enumerate(as_list(block["fields"])):
            yield from check_text(field or {}, f"{at}/fields/{index}", 2000, ANY_TEXT)
    if "accessory" in block:
        yield from check_element(block["accessory"], f"{at}/accessory", _ACCESSORIES)


def _header(block: JsonObject, at: str) -> Findings:
    yield from check_text(block.get("text"), f"{at}/text", 150)


def _context(block: JsonObject, at: str) -> Findings:
    yield from check_items(block.get("elements"), f"{at}/elements", 10)
    for index, element in enumerate(as_list(block.get("elements"))):
        where = f"{at}/elements/{index}"
        if as_object(element).get("type") == "image":
            yield from check_element(element, where, frozenset({"image"}))
        else:
            yield from check_text(element or {}, where, 3000, ANY_TEXT)


def _actions(block: JsonObject, at: str) -> Findings:
    yield from check_items(block.get("elements"), f"{at}/elements", 25)
    for index, element in enumerate(as_list(block.get("elements"))):
        yield from check_element(element, f"{at}/elements/{index}", _ACTIONS)


def _input(block: JsonObject, at: str) -> Findings:
    yield from check_text(block.get("label"), f"{at}/label", 2000)
    yield from check_text(block.get("hint"), f"{at}/hint", 2000)
    yield from check_element(block.get("element"), f"{at}/element", _INPUTS)


def _image(block: JsonObject, at: str) -> Findings:
    yield from check_length(block.get("image_url"), f"{at}/image_url", 3000)
    yield from check_length(block.get("alt_text"), f"{at}/alt_text", 2000)
    yield from check_text(block.get("title"), f"{at}/title", 2000)


def _markdown(block: JsonObject, at: str) -> Findings:
    yield from check_length(block.get("text"), f"{at}/text", MARKDOWN_TOTAL)


def _table(block: JsonObject, at: str) -> Findings:
    yield from check_items(block.get("rows"), f"{at}/rows", 100)
    for index, row in enumerate(as_list(block.get("rows"))):
        yield from check_items(row, f"{at}/rows/{index}", 20)


def _nothing_more(_block: JsonObject, _at: str) -> Findings:
    yield from ()


def _keys(*names: str) -> frozenset[str]:
    return frozenset(names)


# type -> (required keys, further keys, the check of its own)
BLOCKS: Mapping[str, tuple[frozenset[str], frozenset[str], Check]] = MappingProxyType(
    {
        "section": (_keys(), _keys("text", "fields", "accessory", "expand"), _section),
        "header": (_keys("text"), _keys("level"), _header),
        "divider": (_keys(), _keys(), _nothing_more),
        "context": (_keys("elements"), _keys(), _context),
        "actions": (_keys("elements"), _keys(), _actions),
        "input": (_keys("label", "element"), _keys("hint", "optional", "dispatch_action"), _input),
        "image": (_keys("alt_text"), _keys("image_url", "slack_file", "title"), _image),
        "markdown": (_keys("text"), _keys(), _markdown),
        "rich_text": (_keys("elements"), _keys(), _nothing_more),
        "table": (_keys("rows"), _keys("column_settings"), _table),
        "alert": (_keys("text"), _keys("level"), _nothing_more),
    }
)


def _action_ids(block: JsonObject, at: str) -> Iterator[tuple[str, str]]:
    for index, element in enumerate(as_list(block.get("elements"))):
        yield as_text(as_object(element).get("action_id")), f"{at}/elements/{index}/action_id"
    for key in ("accessory", "element"):
        yield as_text(as_object(block.get(key)).get("action_id")), f"{at}/{key}/action_id"


def _repeats(ids: Iterator[tuple[str, str]], name: str) -> Findings:
    seen: set[str] = set()
    for value, at in ids:
        if value and value in seen:
            yield Finding(at, f"`{name}` already exists for another element: {value}")
        seen.add(value)


def _check_block(block: JsonObject, at: str, surface: Surface) -> Findings:
    kind = as_text(block.get("type"))
    if kind not in BLOCKS or (kind == "alert" and surface is not Surface.MODAL):
        yield Finding(f"{at}/type", f"unsupported type: {kind or 'none'}")
        return
    required, optional, check = BLOCKS[kind]
    yield from check_keys(block, at, required, optional | {"block_id"})
    yield from check_length(block.get("block_id"), f"{at}/block_id", 255)
    yield from check(block, at)
    yield from _repeats(_action_ids(block, at), "action_id")


def check_blocks(blocks: JsonValue, at: str, surface: Surface) -> Findings:
    """Find everything in an array of blocks that Slack would refuse.

    Args:
        at: the JSON pointer of the array, `/blocks` or `/view/blocks`.
    """
    items = as_list(blocks)
    if not isinstance(blocks, list):
        yield Finding(at, "must provide an array")
    if len(items) > MOST_BLOCKS[surface]:
        yield Finding(at, f"no more than {MOST_BLOCKS[surface]} items allowed")
    for index, block in enumerate(items):
        yield from _check_block(as_object(block), f"{at}/{index}", surface)
    ids = ((as_text(as_object(item).get("block_id")), f"{at}/{i}/block_id") for i, item in enumerate(items))
    yield from _repeats(ids, "block_id")
    markdown = [as_object(item) for item in items if as_object(item).get("type") == "markdown"]
    if sum(len(as_text(block.get("text"))) for block in markdown) > MARKDOWN_TOTAL and len(markdown) > 1:
        yield Finding(at, f"markdown text must be less than {MARKDOWN_TOTAL + 1} characters in total")
