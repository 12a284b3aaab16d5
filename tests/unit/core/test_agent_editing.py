"""People edit a call's arguments, and see no secrets in them."""

from __future__ import annotations

import pytest

from spectra_bot import InterruptResponse, InterruptStatus
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
    ("text", "is_kept"),
    [
        ('{"path": "/tmp",}', True),
        ("no JSON", True),
        ('{"path": "/tmp", "password": "hunter2",}', False),
        (f'{{"token": "{MASK}", "path": 7}}', False),
        ("use xoxb-12345678-abcdefgh", False),
    ],
)
def test_what_was_typed_is_kept_where_nothing_in_it_has_to_be_masked(text: str, is_kept: bool) -> None:
    assert draft(typed(text)) == (text if is_kept else None)
