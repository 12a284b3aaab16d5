"""A form drawn as a modal, and read back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from handlers.slack.layout import Block
from handlers.slack.modals import (
    MOST_FIELDS,
    FormPlace,
    form_errors,
    form_modal,
    notice_modal,
    read_form,
)
from spectra_bot import FieldKind, Form, FormField, InterruptOption
from spectra_bot.run_inputs import MAX_ID
from spectra_bot.testing.limits import check_view as check_as_slack_does
from tests.unit.slack.limits import blocks_of, check_view
from tests.unit.slack.questions import question

PLACE = FormPlace(interrupt_id="i-1", option_id="change", channel="C1", ts="1.2")


class Everything(BaseModel):
    """One field of each kind."""

    why: str = Field(min_length=3, max_length=40, description="in a few words")
    details: str = Field(default="one\ntwo", json_schema_extra={"multiline": True})
    nickname: str | None = None
    replicas: int = Field(default=2, ge=1, lt=10)
    share: float = Field(default=0.5, gt=0)
    urgent: bool = False
    sure: bool
    size: Literal["small", "large"] = "small"
    parts: list[Literal["web", "api"]] = ["web"]
    leave_out: list[str] = ["a.txt", "b.txt"]
    password: str = "hunter2"


def modal(form: Form, label: str = "Change") -> Block:
    """The modal of an option with this form."""
    option = InterruptOption("change", label, form=form)
    return form_modal(question(), option, form, PLACE)


def elements(view: Block) -> dict[str, Any]:
    """The elements by the field's label."""
    return {block["label"]["text"]: block["element"] for block in blocks_of(view) if block["type"] == "input"}


def test_each_kind_of_field_has_its_input_with_the_default_filled_in() -> None:
    form = Form.of(Everything)

    view = modal(form)

    check_view(view)
    check_as_slack_does(view)
    drawn = elements(view)
    assert [(label, element["type"]) for label, element in drawn.items()] == [
        ("Why", "plain_text_input"),
        ("Details", "plain_text_input"),
        ("Nickname", "plain_text_input"),
        ("Replicas", "number_input"),
        ("Share", "number_input"),
        ("Urgent", "radio_buttons"),
        ("Sure", "radio_buttons"),
        ("Size", "static_select"),
        ("Parts", "checkboxes"),
        ("Leave Out", "plain_text_input"),
        ("Password", "plain_text_input"),
    ]
    assert (drawn["Why"]["min_length"], drawn["Why"]["max_length"]) == (3, 40)
    assert (drawn["Details"]["initial_value"], drawn["Details"]["multiline"]) == ("one\ntwo", True)
    number = drawn["Replicas"]
    assert (number["initial_value"], number["min_value"], number["max_value"]) == ("2", "1", "9")
    assert (drawn["Share"]["initial_value"], drawn["Share"]["is_decimal_allowed"]) == ("0.5", True)
    assert drawn["Urgent"]["initial_option"]["value"] == "false"
    assert "initial_option" not in drawn["Sure"]
    assert drawn["Size"]["initial_option"]["text"]["text"] == "small"
    assert [option["text"]["text"] for option in drawn["Parts"]["initial_options"]] == ["web"]
    assert drawn["Leave Out"]["initial_value"] == "a.txt\nb.txt"
    assert "initial_value" not in drawn["Password"]


def test_text_that_is_too_long_for_slack_says_how_it_is_changed() -> None:
    field = FormField(name="patch", label="The patch", kind=FieldKind.TEXT, default="x" * 3_001, multiline=True)

    view = modal(Form(fields=(field,)))

    check_view(view)
    assert "initial_value" not in elements(view)["The patch"]
    assert "3,001 characters, too many for Slack: change it with `spectra-bot answer`" in str(view["blocks"])


def test_what_is_not_required_is_optional() -> None:
    optional = {block["label"]["text"]: block["optional"] for block in blocks_of(modal(Form.of(Everything)))[1:]}

    assert [label for label, is_optional in optional.items() if not is_optional] == ["Why", "Sure"]


def test_a_filled_form_is_read_back_as_its_model_takes_it() -> None:
    form = Form.of(Everything)
    typed = {
        "why": {"type": "plain_text_input", "value": "it is time"},
        "details": {"type": "plain_text_input", "value": None},
        "nickname": {"type": "plain_text_input", "value": None},
        "replicas": {"type": "number_input", "value": "4"},
        "share": {"type": "number_input", "value": "0.25"},
        "urgent": {"type": "radio_buttons", "selected_option": {"value": "true"}},
        "sure": {"type": "radio_buttons", "selected_option": {"value": "false"}},
        "size": {"type": "static_select", "selected_option": {"value": "1"}},
        "parts": {"type": "checkboxes", "selected_options": [{"value": "0"}, {"value": "1"}]},
        "leave_out": {"type": "plain_text_input", "value": "a b.txt\n\n c.txt "},
        "password": {"type": "plain_text_input", "value": "s3cret"},
    }

    filled = read_form(form, _state(form, typed))

    assert filled == {
        "why": "it is time",
        "details": "",
        "replicas": 4,
        "share": 0.25,
        "urgent": True,
        "sure": False,
        "size": "large",
        "parts": ["web", "api"],
        "leave_out": ["a b.txt", "c.txt"],
        "password": "s3cret",
    }
    assert form.validated(filled)["nickname"] is None


def test_what_is_cleared_is_empty_and_what_cannot_be_empty_takes_its_default() -> None:
    form = Form.of(Everything)
    typed = {
        "leave_out": {"type": "plain_text_input", "value": None},
        "parts": {"type": "checkboxes", "selected_options": []},
        "replicas": {"type": "number_input", "value": None},
        "size": {"type": "static_select", "selected_option": None},
    }

    assert read_form(form, _state(form, typed)) == {"leave_out": [], "parts": []}


@pytest.mark.parametrize("values", [None, [], {}, {"field:0": None}, {"field:0": {"value": 3}}])
def test_a_state_of_another_shape_reads_as_nothing_filled_in(values: Any) -> None:
    assert read_form(Form.of(Everything), values) == {}


def test_problems_stand_under_their_fields_and_the_rest_under_the_first() -> None:
    errors = form_errors(Form.of(Everything), {"replicas": "too many", "": "they do not go together", "gone": "what?"})

    assert errors == {"field:3": "too many", "field:0": "they do not go together; gone: what?"}


def test_a_form_at_and_past_the_limits_is_one_that_slack_takes() -> None:
    long = {f"f{n}": (str, Field(default="x" * 5_000, title="T" * 4_000, description="d" * 9_000)) for n in range(60)}
    choices = Literal[tuple("c" * 200 + str(n) for n in range(150))]  # type: ignore[valid-type]  # made at run time
    some = Literal[tuple("c" * 200 + str(n) for n in range(100))]  # type: ignore[valid-type]  # made at run time
    fields: dict[str, Any] = {
        **long,
        "one": (choices, ...),
        "two": (list[choices], ...),  # type: ignore[valid-type]  # made at run time
        "three": (list[some], Field(min_length=1)),  # type: ignore[valid-type]  # made at run time
        "four": (some, ...),
    }
    from pydantic import create_model

    form = Form.of(create_model("Long", **fields))
    assert len(form.fields) <= MOST_FIELDS

    view = modal(form, "L" * 75)

    check_view(view)
    check_as_slack_does(view)


def test_a_place_survives_the_way_through_slack() -> None:
    assert FormPlace.read(PLACE.as_text()) == PLACE
    for mark in ("i", "😀", '"', "\x01"):
        longest = FormPlace(
            interrupt_id=f"i-{'0' * 14}.{mark * MAX_ID}", option_id=mark * 64, channel="C" * 20, ts="1" * 20
        )
        assert len(longest.as_text()) < 3_000
        assert FormPlace.read(longest.as_text()) == longest


@pytest.mark.parametrize("text", ["", "{}", "null", "[1]", "{", '{"interrupt": "i", "option": 3}'])
def test_a_place_of_another_app_reads_as_none(text: str) -> None:
    assert FormPlace.read(text) is None


def test_a_notice_is_a_modal_without_a_form() -> None:
    check_view(notice_modal("Nothing changed", "Decided already by <@U1>"))


def test_a_free_form_asks_for_notes() -> None:
    option = question(options=("approve", "modify"), timeout=timedelta(days=1)).option("modify")
    assert option is not None
    assert option.form is not None

    assert list(elements(form_modal(question(), option, option.form, PLACE))) == ["What should change?"]


def _state(form: Form, typed: dict[str, Any]) -> dict[str, Any]:
    index = {field.name: number for number, field in enumerate(form.fields)}
    return {f"field:{index[name]}": {"value": element} for name, element in typed.items()}
