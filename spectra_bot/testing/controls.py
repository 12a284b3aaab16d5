"""What a person can press, choose or fill in, found in the blocks that show it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from pydantic import JsonValue

from spectra_bot.testing.json_shapes import JsonObject, as_list, as_object, as_objects, as_text
from spectra_bot.testing.people import NotPossibleError

Filled = str | Sequence[str] | None

# element type -> the key of its value in `state`, where it is not an option
_SIMPLE = {
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "users_select": "selected_user",
}
_INITIAL = {
    "value": "initial_value",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
    "selected_user": "initial_user",
}
_SEVERAL = frozenset({"multi_static_select", "checkboxes"})
_STATELESS = frozenset({"button", "overflow", "image"})


@dataclass(frozen=True, slots=True)
class Control:
    """One interactive element and the block it stands in."""

    block_id: str
    element: JsonObject
    is_optional: bool = True

    @property
    def action_id(self) -> str:
        """The id the app gave it, or Slack."""
        return as_text(self.element.get("action_id"))

    @property
    def label(self) -> str:
        """The text on it."""
        return as_text(as_object(self.element.get("text")).get("text"))

    def answers_to(self, wanted: str) -> bool:
        """Tell whether `wanted` is its action id, its value or the text on it."""
        return wanted in (self.action_id, as_text(self.element.get("value")), self.label)

    def option(self, wanted: str) -> JsonObject:
        """Find one of its options by value or text.

        Raises:
            NotPossibleError: it has no such option.
        """
        groups = [*as_objects(self.element.get("option_groups")), self.element]
        offered = [option for group in groups for option in as_objects(group.get("options"))]
        for option in offered:
            if wanted in (option.get("value"), as_object(option.get("text")).get("text")):
                return option
        values = ", ".join(as_text(option.get("value")) for option in offered)
        raise NotPossibleError(f"{self.action_id} offers no option {wanted!r}; it has: {values}")


def with_ids(blocks: Iterable[JsonValue], fresh: Callable[[], str]) -> tuple[JsonObject, ...]:
    """Copy blocks and give each block and control without an id a fresh one, as Slack does."""
    copies = [deepcopy(block) for block in blocks if isinstance(block, dict)]
    for block in copies:
        if not block.get("block_id"):
            block["block_id"] = fresh()
        for element in _elements(block):
            if not element.get("action_id") and element.get("type") not in ("image", "plain_text", "mrkdwn"):
                element["action_id"] = fresh()
    return tuple(copies)


def _elements(block: JsonObject) -> list[JsonObject]:
    if block.get("type") == "actions":
        return as_objects(block.get("elements"))
    return [element for key in ("accessory", "element") if (element := as_object(block.get(key)))]


def controls(blocks: Iterable[JsonObject]) -> Iterator[Control]:
    """Yield every interactive element, in reading order."""
    for block in blocks:
        is_optional = block.get("type") != "input" or block.get("optional") is True
        for element in _elements(block):
            if element.get("type") != "image":
                yield Control(as_text(block.get("block_id")), element, is_optional)


def find_control(blocks: Iterable[JsonObject], wanted: str) -> Control:
    """Find the one control with this action id, value or text.

    An action id wins over a value, and a value over a text.

    Raises:
        NotPossibleError: there is none, or it is not the only one; names those that are there.
    """
    present = list(controls(blocks))
    for read in (
        lambda control: control.action_id,
        lambda control: as_text(control.element.get("value")),
        lambda control: control.label,
    ):
        found = [control for control in present if read(control) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            break
    names = ", ".join(f"{control.action_id} ({control.label})" for control in present) or "nothing"
    problem = "more than one control is" if found else "no control is"
    raise NotPossibleError(f"{problem} {wanted!r}; there is: {names}")


def state_of(blocks: Iterable[JsonObject], values: Mapping[str, Filled]) -> JsonObject:
    """Build `state.values` from what a person filled in and what stood there already.

    Args:
        values: by block id or action id; an option by its value or text, several as a sequence.

    Raises:
        NotPossibleError: a name is not on the form, or an option is not offered.
    """
    unknown = set(values)
    state: JsonObject = {}
    for control in controls(blocks):
        if control.element.get("type") in _STATELESS:
            continue
        entry = _initial_entry(control)
        for name in (control.block_id, control.action_id):
            if name in values:
                unknown.discard(name)
                entry = filled(control, values[name])
        block = as_object(state.get(control.block_id))
        block[control.action_id] = entry
        state[control.block_id] = block
    if unknown:
        names = ", ".join(state) or "nothing"
        raise NotPossibleError(f"nothing to fill in is named {sorted(unknown)}; there is: {names}")
    return state


def missing_inputs(blocks: Iterable[JsonObject], state: JsonObject) -> list[str]:
    """Name the required inputs that are empty: Slack's client does not submit those."""
    missing = []
    for control in controls(blocks):
        entry = as_object(as_object(state.get(control.block_id)).get(control.action_id))
        if not control.is_optional and not any(value for key, value in entry.items() if key != "type"):
            missing.append(control.block_id)
    return missing


def _initial_entry(control: Control) -> JsonObject:
    kind = as_text(control.element.get("type"))
    if kind in _SIMPLE:
        key = _SIMPLE[kind]
        return {"type": kind, key: control.element.get(_INITIAL[key])}
    if kind == "multi_users_select":
        return {"type": kind, "selected_users": as_list(control.element.get("initial_users"))}
    if kind in _SEVERAL:
        return {"type": kind, "selected_options": as_list(control.element.get("initial_options"))}
    return {"type": kind, "selected_option": control.element.get("initial_option")}


def filled(control: Control, value: Filled) -> JsonObject:
    """Build the entry of one control once a person filled it in or chose from it.

    Raises:
        NotPossibleError: the option is not offered, or the text is too long for the field.
    """
    kind = as_text(control.element.get("type"))
    several = [value] if isinstance(value, str) else list(value or ())
    single = several[0] if several else None
    if kind in _SIMPLE:
        longest = control.element.get("max_length")
        if isinstance(longest, int) and len(single or "") > longest:
            raise NotPossibleError(f"{control.block_id} takes {longest} characters, not {len(single or '')}")
        return {"type": kind, _SIMPLE[kind]: single or None}
    if kind == "multi_users_select":
        users: list[JsonValue] = [*several]
        return {"type": kind, "selected_users": users}
    if kind in _SEVERAL:
        chosen: list[JsonValue] = [control.option(item) for item in several]
        return {"type": kind, "selected_options": chosen}
    return {"type": kind, "selected_option": None if single is None else control.option(single)}
