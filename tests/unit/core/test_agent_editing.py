"""People edit a call's arguments, and see no secrets in them."""

from __future__ import annotations

import pytest

from spectra_bot import InterruptResponse, InterruptStatus, InvalidAnswerError
from spectra_bot.agent.editing import ARGUMENTS, Arguments, draft, edited, form
from spectra_bot.redact import MASK

CALL: Arguments = {"user": "ada", "password": "hunter2", "hosts": [{"name": "db", "token": "t0p"}], "note": None}


def typed(text: str) -> InterruptResponse:
    return InterruptResponse(status=InterruptStatus.ANSWERED, option="edit", data={ARGUMENTS: text})


def test_form_shows_no_secrets() -> None:
    [field] = form(CALL).fields

    assert "ada" in str(field.default)
    assert "hunter2" not in str(field.default)
    assert "t0p" not in str(field.default)


def test_what_stays_masked_stays_what_it_was() -> None:
    [field] = form(CALL).fields

    given, problem = edited(typed(str(field.default).replace("ada", "bob")), CALL)

    assert problem is None
    assert given == {**CALL, "user": "bob"}


def test_secret_may_be_typed_anew() -> None:
    given, problem = edited(typed('{"user": "ada", "password": "other"}'), CALL)

    assert (given, problem) == ({"user": "ada", "password": "other"}, None)


@pytest.mark.parametrize(
    "text", [f'{{"user": "{MASK}"}}', f'{{"password": "{MASK}7"}}', f'{{"hosts": [{{}}, {{"token": "{MASK}"}}]}}']
)
def test_mask_is_not_taken_for_a_value(text: str) -> None:
    _, problem = edited(typed(text), CALL)

    assert problem == "something that is masked was moved or changed; type it out"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"path": 7, "max_tokens": 5}', {"path": 7, "max_tokens": 5}),
        (f'{{"token": "{MASK}", "path": 7}}', {"token": MASK, "path": 7}),
        ('{"path": 7, "password": "hunter2"}', None),
        ('{"path": 7, "pass\\u0077ord": "hunter2"}', None),
        ('{"body": "{\\"password\\": \\"hunter2\\"}"}', None),
        ('{"password": "hunter2", "password": ""}', {"password": ""}),
        ('{"path": "xoxb-12345678-abcdefgh"}', None),
        ('{"password: "hunter2"}', None),
    ],
)
def test_what_was_typed_is_kept_where_nothing_in_it_has_to_be_masked(text: str, kept: Arguments | None) -> None:
    assert draft(typed(text)) == kept


@pytest.mark.parametrize("text", ['{"path": "/",}', "[]", "/"])
def test_what_is_no_object_is_told_where_it_is_typed(text: str) -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        form(CALL).validated({ARGUMENTS: text})

    assert list(refused.value.fields) == [ARGUMENTS]
    assert "JSON" in refused.value.fields[ARGUMENTS]
