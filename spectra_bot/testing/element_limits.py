"""What Slack accepts inside a block: text objects, buttons, menus and inputs. Pure.

The numbers are those of https://docs.slack.dev/reference/block-kit/.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from pydantic import JsonValue

from spectra_bot.testing.json_shapes import JsonObject, as_list, as_object, as_text
from spectra_bot.testing.refusals import Finding

Findings = Iterator[Finding]
Check = Callable[[JsonObject, str], Findings]

STYLES = frozenset({"primary", "danger"})
PLAIN = frozenset({"plain_text"})
ANY_TEXT = frozenset({"plain_text", "mrkdwn"})


def check_length(value: JsonValue, at: str, limit: int) -> Findings:
    """Find a string that is empty, too long, or none at all. Absent is fine."""
    if value is None:
        return
    if not isinstance(value, str):
        yield Finding(at, "must be a string")
    elif not value:
        yield Finding(at, "must be more than 0 characters")
    elif len(value) > limit:
        yield Finding(at, f"must be less than {limit + 1} characters")


def check_items(value: JsonValue, at: str, limit: int) -> Findings:
    """Find an array that is missing, empty, or too long."""
    if not isinstance(value, list):
        yield Finding(at, "must provide an array")
    elif not value:
        yield Finding(at, "no fewer than 1 items allowed")
    elif len(value) > limit:
        yield Finding(at, f"no more than {limit} items allowed")


def check_keys(value: JsonObject, at: str, required: frozenset[str], optional: frozenset[str]) -> Findings:
    """Find what is missing and what Slack does not know; `type` always belongs."""
    for key in sorted(required - value.keys()):
        yield Finding(at, f"missing required field: {key}")
    for key in sorted(value.keys() - required - optional - {"type"}):
        yield Finding(at, f"invalid additional property: {key}")


def check_text(value: JsonValue, at: str, limit: int, types: frozenset[str] = PLAIN) -> Findings:
    """Find what is wrong with a text object. Absent is fine."""
    if value is None:
        return
    text = as_object(value)
    if text.get("type") not in types:
        yield Finding(f"{at}/type", f"unsupported type: {text.get('type')}")
    yield from check_keys(text, at, frozenset({"text"}), frozenset({"emoji", "verbatim"}))
    yield from check_length(text.get("text"), f"{at}/text", limit)


def check_confirm(value: JsonValue, at: str) -> Findings:
    """Find what is wrong with a confirmation dialog. Absent is fine."""
    if value is None:
        return
    confirm = as_object(value)
    required = frozenset({"title", "text"})
    yield from check_keys(confirm, at, required, frozenset({"confirm", "deny", "style"}))
    yield from check_text(confirm.get("title"), f"{at}/title", 100)
    yield from check_text(confirm.get("text"), f"{at}/text", 300, ANY_TEXT)
    yield from check_text(confirm.get("confirm"), f"{at}/confirm", 30)
    yield from check_text(confirm.get("deny"), f"{at}/deny", 30)
    yield from _check_style(confirm, at)


def _check_style(value: JsonObject, at: str) -> Findings:
    if "style" in value and value["style"] not in STYLES:
        yield Finding(f"{at}/style", f"must be one of {', '.join(sorted(STYLES))}")


def _button(button: JsonObject, at: str) -> Findings:
    yield from check_text(button.get("text"), f"{at}/text", 75)
    yield from check_length(button.get("value"), f"{at}/value", 2000)
    yield from check_length(button.get("url"), f"{at}/url", 3000)
    yield from check_length(button.get("accessibility_label"), f"{at}/accessibility_label", 75)
    yield from _check_style(button, at)


def _options(options: JsonValue, at: str, limit: int, texts: frozenset[str]) -> Findings:
    yield from check_items(options, at, limit)
    for index, item in enumerate(as_list(options)):
        where, option = f"{at}/{index}", as_object(item)
        required = frozenset({"text", "value"})
        yield from check_keys(option, where, required, frozenset({"description", "url"}))
        yield from check_text(option.get("text"), f"{where}/text", 75, texts)
        yield from check_length(option.get("value"), f"{where}/value", 150)
        yield from check_text(option.get("description"), f"{where}/description", 75, texts)


def _initial(element: JsonObject, at: str, offered: list[JsonValue]) -> Findings:
    chosen = as_list(element.get("initial_options"))
    if "initial_option" in element:
        chosen = [element["initial_option"]]
    values = {as_text(as_object(option).get("value")) for option in offered}
    for option in chosen:
        if as_text(as_object(option).get("value")) not in values:
            yield Finding(at, "initial option must exactly match one of the options")


def _menu(menu: JsonObject, at: str) -> Findings:
    offered: list[JsonValue] = []
    if "option_groups" in menu:
        yield from check_items(menu["option_groups"], f"{at}/option_groups", 100)
        for index, item in enumerate(as_list(menu["option_groups"])):
            where, group = f"{at}/option_groups/{index}", as_object(item)
            yield from check_text(group.get("label"), f"{where}/label", 75)
            yield from _options(group.get("options"), f"{where}/options", 100, PLAIN)
            offered += as_list(group.get("options"))
    else:
        offered = as_list(menu.get("options"))
        yield from _options(menu.get("options"), f"{at}/options", 100, PLAIN)
    yield from _initial(menu, at, offered)


def _choices(limit: int, texts: frozenset[str]) -> Check:
    def check(element: JsonObject, at: str) -> Findings:
        yield from _options(element.get("options"), f"{at}/options", limit, texts)
        yield from _initial(element, at, as_list(element.get("options")))

    return check


def _text_input(element: JsonObject, at: str) -> Findings:
    for key in ("min_length", "max_length"):
        value = element.get(key)
        if value is not None and (not isinstance(value, int) or not 0 <= value <= 3000):
            yield Finding(f"{at}/{key}", "must be between 0 and 3000")
    yield from check_length(element.get("initial_value"), f"{at}/initial_value", 3000)


def _nothing_more(_element: JsonObject, _at: str) -> Findings:
    yield from ()


def _image(image: JsonObject, at: str) -> Findings:
    yield from check_length(image.get("image_url"), f"{at}/image_url", 3000)
    yield from check_length(image.get("alt_text"), f"{at}/alt_text", 2000)


def _keys(*names: str) -> frozenset[str]:
    return frozenset(names)


_INPUT = _keys("action_id", "placeholder", "focus_on_load", "dispatch_action_config", "initial_value")
_MENU = _keys("action_id", "placeholder", "focus_on_load", "confirm", "options", "option_groups")
_CHOICES = _keys("action_id", "focus_on_load", "confirm", "initial_option", "initial_options")
_PICKER = _keys("action_id", "placeholder", "focus_on_load", "confirm")

# type -> (required keys, further keys, the check of its own)
ELEMENTS: Mapping[str, tuple[frozenset[str], frozenset[str], Check]] = MappingProxyType(
    {
        "button": (
            _keys("text"),
            _keys("action_id", "url", "value", "style", "confirm", "accessibility_label"),
            _button,
        ),
        "static_select": (_keys(), _MENU | {"initial_option"}, _menu),
        "multi_static_select": (_keys(), _MENU | {"initial_options", "max_selected_items"}, _menu),
        "overflow": (_keys("options"), _keys("action_id", "confirm"), _choices(5, PLAIN)),
        "radio_buttons": (_keys("options"), _CHOICES, _choices(10, ANY_TEXT)),
        "checkboxes": (_keys("options"), _CHOICES, _choices(10, ANY_TEXT)),
        "plain_text_input": (_keys(), _INPUT | {"multiline", "min_length", "max_length"}, _text_input),
        "number_input": (
            _keys("is_decimal_allowed"),
            _INPUT | {"min_value", "max_value"},
            _nothing_more,
        ),
        "email_text_input": (_keys(), _INPUT, _nothing_more),
        "url_text_input": (_keys(), _INPUT, _nothing_more),
        "datepicker": (_keys(), _PICKER | {"initial_date"}, _nothing_more),
        "timepicker": (_keys(), _PICKER | {"initial_time", "timezone"}, _nothing_more),
        "datetimepicker": (_keys(), _PICKER | {"initial_date_time"}, _nothing_more),
        "users_select": (_keys(), _PICKER | {"initial_user"}, _nothing_more),
        "multi_users_select": (
            _keys(),
            _PICKER | {"initial_users", "max_selected_items"},
            _nothing_more,
        ),
        "image": (_keys("alt_text"), _keys("image_url", "slack_file"), _image),
    }
)


def check_element(value: JsonValue, at: str, allowed: frozenset[str]) -> Findings:
    """Find what is wrong with one interactive element or image."""
    element = as_object(value)
    kind = as_text(element.get("type"))
    if kind not in allowed or kind not in ELEMENTS:
        yield Finding(f"{at}/type", f"unsupported type: {kind or 'none'}")
        return
    required, optional, check = ELEMENTS[kind]
    yield from check_keys(element, at, required, optional)
    yield from check_length(element.get("action_id"), f"{at}/action_id", 255)
    yield from check_text(element.get("placeholder"), f"{at}/placeholder", 150)
    yield from check_confirm(element.get("confirm"), f"{at}/confirm")
    yield from check(element, at)
