"""Requests, options and responses: what a question is, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue, ValidationError

from spectra_bot import (
    Delivered,
    Difference,
    Form,
    InterruptException,
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidAnswerError,
    handler_name,
)
from spectra_bot.interrupts import MAX_OPTIONS
from tests.unit.core.runs import STEADY

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
option_ids = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,20}", fullmatch=True)


class Changes(BaseModel):
    replicas: int
    note: str = ""


CHANGED = (Difference(path="reason", before="Ship?", after="Ship it?"),)


@st.composite
def options(draw: st.DrawFn) -> InterruptOption:
    return InterruptOption(
        draw(option_ids),
        draw(st.none() | texts),
        draw(st.sampled_from((None, "primary", "danger", "default"))),
        draw(st.sampled_from((None, InterruptStatus.APPROVED, InterruptStatus.REJECTED, InterruptStatus.ANSWERED))),
        draw(st.sampled_from((None, Changes))),
        draw(st.none() | texts),
    )


@st.composite
def requests(draw: st.DrawFn) -> InterruptRequest:
    offered = draw(st.lists(options(), min_size=1, max_size=4, unique_by=lambda option: option.id))
    timeout = draw(st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=3650)))
    request = InterruptRequest(
        reason=draw(texts),
        data=draw(json_objects),
        options=offered,
        timeout=timeout,
        default_option=draw(st.sampled_from([None, *(one.id for one in offered)])) if timeout else None,
        approvers=draw(st.lists(texts, max_size=2)),
        channel=draw(st.none() | texts),
        key=draw(st.none() | texts),
    )
    stamps = {
        "id": "i-1",
        "created_at": draw(moments),
        "deadline": draw(st.none() | moments),
        "changed": (Difference(path="reason", before="Ship?", after="Ship it?"),),
    }
    return request.model_copy(update={**stamps, "digest": request.content_digest()} if draw(st.booleans()) else {})


@st.composite
def responses(draw: st.DrawFn) -> InterruptResponse:
    return InterruptResponse(
        status=draw(st.sampled_from(InterruptStatus)),
        data=draw(json_objects),
        option=draw(st.none() | texts),
        notes=draw(st.none() | texts),
        responder=draw(st.none() | texts),
        responded_at=draw(st.none() | moments),
        request=draw(st.none() | requests()),
    )


@STEADY
@given(requests())
def test_a_request_comes_back_equal_from_its_json(request: InterruptRequest) -> None:
    back = InterruptRequest.model_validate_json(request.model_dump_json())

    assert back == request
    assert back.content_digest() == request.content_digest()


@STEADY
@given(responses())
def test_a_response_comes_back_equal_from_its_json(response: InterruptResponse) -> None:
    assert InterruptResponse.model_validate_json(response.model_dump_json()) == response


@STEADY
@given(json_objects)
def test_a_receipt_comes_back_equal_from_its_json(receipt: dict[str, JsonValue]) -> None:
    delivered = Delivered(receipt)

    assert Delivered.model_validate_json(delivered.model_dump_json()) == delivered


@STEADY
@given(requests())
def test_the_builder_and_the_keywords_give_equal_requests(request: InterruptRequest) -> None:
    builder = InterruptRequest.builder().with_reason(request.reason).with_options(*request.options)
    for key, value in request.data.items():
        builder = builder.with_data(key, value)
    if request.timeout is not None:
        builder = builder.with_timeout(request.timeout)
    if request.default_option is not None:
        builder = builder.with_default_option(request.default_option)
    if request.channel is not None:
        builder = builder.with_channel(request.channel)
    if request.key is not None:
        builder = builder.with_key(request.key)

    built = builder.with_approvers(*request.approvers).build()

    assert built == InterruptRequest(
        reason=request.reason,
        data=request.data,
        options=request.options,
        timeout=request.timeout,
        default_option=request.default_option,
        approvers=request.approvers,
        channel=request.channel,
        key=request.key,
    )


def test_the_pages_own_builder_example_builds() -> None:
    request = (
        InterruptRequest.builder()
        .with_reason("Review the generated code before applying")
        .with_data("files", ["a.py"])
        .with_data("diff", "+1")
        .with_options("apply", "reject", "edit")
        .with_timeout(timedelta(hours=24))
        .build()
    )

    assert request == InterruptRequest(
        reason="Review the generated code before applying",
        data={"files": ["a.py"], "diff": "+1"},
        options=("apply", "reject", "edit"),
        timeout=timedelta(hours=24),
    )


def test_a_builder_without_a_reason_says_so() -> None:
    with pytest.raises(ValidationError, match="reason"):
        InterruptRequest.builder().build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: InterruptRequest(reason="x", colour="red"),  # type: ignore[call-arg]  # that is what is tested
        lambda: InterruptResponse(status=InterruptStatus.APPROVED, colour="red"),  # type: ignore[call-arg]  # same
        lambda: InterruptOption("ship", colour="red"),
        lambda: InterruptRequest.model_validate({"reason": "x", "options": [{"id": "ship", "colour": "red"}]}),
    ],
)
def test_an_unknown_field_is_refused_by_its_name(build: Callable[[], object]) -> None:
    with pytest.raises(ValidationError, match="colour"):
        build()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (InterruptRequest(reason="x"), "reason"),
        (InterruptResponse(status=InterruptStatus.APPROVED), "status"),
        (InterruptOption("ship"), "label"),
        (Delivered({}), "receipt"),
    ],
)
def test_what_crosses_a_boundary_is_frozen(value: BaseModel, field: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, field, "changed")


@pytest.mark.parametrize(
    ("words", "status", "style"),
    [
        (("approve", "apply", "yes", "accept", "confirm"), InterruptStatus.APPROVED, "primary"),
        (("reject", "deny", "no", "decline"), InterruptStatus.REJECTED, "danger"),
        (("modify", "edit", "later", "approved", "not yet"), InterruptStatus.ANSWERED, "default"),
    ],
)
def test_a_word_means_what_the_table_says(words: tuple[str, ...], status: InterruptStatus, style: str) -> None:
    options = [InterruptOption(spelt) for word in words for spelt in (word, word.upper(), word.capitalize())]

    assert {option.status for option in options} == {status}
    assert {option.style for option in options} == {style}


def test_an_option_may_name_its_own_status_label_and_style() -> None:
    option = InterruptOption("ship_it", "Off it goes", status=InterruptStatus.APPROVED, confirm="Really?")

    assert (option.status, option.label, option.style) == (InterruptStatus.APPROVED, "Off it goes", "primary")
    assert InterruptOption("approve", style="danger").style == "danger"
    assert InterruptOption("approve", status=InterruptStatus.REJECTED).style == "danger"


def test_an_options_label_is_its_id_in_words() -> None:
    assert [InterruptOption(one).label for one in ("approve", "ship_it", "roll-back")] == [
        "Approve",
        "Ship it",
        "Roll back",
    ]


def test_modify_and_edit_open_a_free_form_unless_they_name_one() -> None:
    free = [InterruptOption(word).form for word in ("modify", "edit", "Modify")]
    named = InterruptOption("modify", form=Changes).form

    assert all(form is not None and form.free for form in free)
    assert named == Form.of(Changes)
    assert InterruptOption("approve").form is None


@pytest.mark.parametrize("status", [InterruptStatus.TIMED_OUT, InterruptStatus.CANCELLED])
def test_no_option_means_what_only_the_runner_says(status: InterruptStatus) -> None:
    with pytest.raises(ValidationError, match="the runner's to say"):
        InterruptOption("ship", status=status)


@pytest.mark.parametrize("word", ["", " ", " ship", "ship ", "a\nb", "x" * 65])
def test_an_option_id_is_a_word_that_can_be_typed(word: str) -> None:
    with pytest.raises(ValidationError):
        InterruptOption(word)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"options": ()}, "at least 1 item"),
        ({"options": "approve"}, "options is a list of words, not one word"),
        ({"options": ("approve", "reject", "approve")}, "options: approve is offered twice"),
        ({"options": [f"option{number}" for number in range(MAX_OPTIONS + 1)]}, f"at most {MAX_OPTIONS} items"),
        ({"default_option": "ship", "timeout": timedelta(1)}, "'ship' is not one of approve, reject"),
        ({"default_option": "approve"}, "give a timeout too"),
        ({"timeout": timedelta(0)}, "greater than 0"),
        ({"timeout": timedelta(-1)}, "greater than 0"),
        ({"reason": ""}, "at least 1 character"),
        ({"reason": "x" * 3001}, "at most 3000 characters"),
        ({"approvers": "U1"}, "approvers is a list of ids, not one id"),
    ],
)
def test_a_question_that_can_not_be_asked_says_why(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        InterruptRequest(**{"reason": "Ship it?", **fields})

    assert said in str(refused.value)


@pytest.mark.parametrize("field", ["reason", "channel", "key", "default_option"])
def test_half_a_surrogate_pair_is_refused_where_it_is_asked_and_not_when_it_is_stored(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        InterruptRequest.model_validate({"reason": "Ship it?", "timeout": timedelta(1), field: "\ud800"})


@pytest.mark.parametrize("field", ["option", "notes", "responder"])
def test_half_a_surrogate_pair_is_no_answer(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        InterruptResponse.model_validate({"status": InterruptStatus.APPROVED, field: "\ud800"})


def test_equal_questions_have_equal_digests_whatever_the_order_of_their_data() -> None:
    one = InterruptRequest(reason="Ship it?", data={"a": 1, "b": {"c": 2, "d": 3}}, key="one", channel="C1")
    other = InterruptRequest(reason="Ship it?", data={"b": {"d": 3, "c": 2}, "a": 1}, timeout=timedelta(1))

    assert one.content_digest() == other.content_digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "Ship it now?"},
        {"data": {"plan": [2, 1]}},
        {"data": {"plan": [1, 2], "more": None}},
        {"data": {"plan": ["1", "2"]}},
        {"options": ("reject", "approve")},
        {"options": ("approve", InterruptOption("reject", "No!"))},
        {"options": ("approve", InterruptOption("reject", form=Changes))},
    ],
)
def test_a_question_with_another_reason_data_or_options_has_another_digest(changed: dict[str, Any]) -> None:
    shown: dict[str, Any] = {"reason": "Ship it?", "data": {"plan": [1, 2]}, "options": ("approve", "reject")}

    assert InterruptRequest(**shown).content_digest() != InterruptRequest(**{**shown, **changed}).content_digest()


def test_a_set_stands_in_a_question_in_the_same_order_in_each_process() -> None:
    names = [f"region-{number:02}" for number in range(20)]

    request = InterruptRequest(reason="Ship it?", data={"to": set(names), "deep": [{"to": frozenset(names)}]})

    assert request.data == {"to": names, "deep": [{"to": names}]}


def test_a_request_keeps_a_copy_of_its_data() -> None:
    plan = ["a"]
    request = InterruptRequest(reason="Ship it?", data={"plan": plan})

    plan.append("b")

    assert request.data == {"plan": ["a"]}


def test_an_answer_by_option_carries_the_options_status() -> None:
    request = InterruptRequest(reason="Ship it?", options=("approve", InterruptOption("later")))

    answer = request.answer("later", data={"when": "monday"}, notes="busy", responder="cli:ada")

    assert answer == InterruptResponse(
        status=InterruptStatus.ANSWERED, option="later", data={"when": "monday"}, notes="busy", responder="cli:ada"
    )


def test_an_answer_by_an_option_that_is_not_offered_names_those_that_are() -> None:
    with pytest.raises(InvalidAnswerError, match="choose one of: approve, reject"):
        InterruptRequest(reason="Ship it?").answer("ship")


ASKED = InterruptRequest(
    reason="Ship it?",
    options=("approve", "reject", InterruptOption("go", status=InterruptStatus.APPROVED), "modify"),
    timeout=timedelta(1),
)


@pytest.mark.parametrize(
    ("status", "option", "approved", "rejected"),
    [
        (InterruptStatus.APPROVED, "approve", True, False),
        (InterruptStatus.REJECTED, "reject", False, True),
        (InterruptStatus.ANSWERED, "modify", False, False),
        (InterruptStatus.TIMED_OUT, None, False, False),
        (InterruptStatus.TIMED_OUT, "go", True, False),
        (InterruptStatus.TIMED_OUT, "reject", False, True),
        (InterruptStatus.TIMED_OUT, "modify", False, False),
        (InterruptStatus.CANCELLED, None, False, False),
    ],
)
def test_approved_and_rejected_describe_the_option_that_applies(
    status: InterruptStatus, option: str | None, approved: bool, rejected: bool
) -> None:
    response = InterruptResponse(status=status, option=option, request=ASKED)

    assert (response.approved, response.rejected) == (approved, rejected)


def test_a_steps_own_except_does_not_swallow_a_question() -> None:
    request = InterruptRequest(reason="Ship it?")

    def step() -> None:
        try:
            raise InterruptException(request)
        except Exception:  # noqa: BLE001  as users write it
            pytest.fail("the question was swallowed")

    with pytest.raises(InterruptException) as raised:
        step()

    assert raised.value.request is request


class Named:
    name = "ci"

    async def handle(self, request: InterruptRequest) -> None:
        """Leave it to people."""


class Unnamed:
    async def handle(self, request: InterruptRequest) -> None:
        """Leave it to people."""


def test_a_handler_without_a_name_goes_by_its_class() -> None:
    assert handler_name(Named()) == "ci"
    assert handler_name(Unnamed()) == "Unnamed"


def test_an_option_that_came_or_went_is_told_by_its_label() -> None:
    before = InterruptRequest(reason="Scale?", options=("approve", "wait"))
    after = InterruptRequest(reason="Scale?", options=("approve", InterruptOption("scale", "Scale on", form=Changes)))

    assert [str(difference) for difference in after.differences(before)] == [
        "options.wait: Wait (gone)",
        "options.scale: Scale on (new)",
    ]
