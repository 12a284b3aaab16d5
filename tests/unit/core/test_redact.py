"""Secrets are masked in everything that is shown, and what is none is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from spectra_bot import redact
from spectra_bot.redact import MASK
from tests.unit.core.runs import STEADY
from tests.unit.core.test_requests import texts

SECRET_NAMES = [
    *("password", "passwd", "passphrase", "passcode", "pass", "pwd", "PASSWORD", "passwords", "db_password"),
    *("dbPassword", "DBPassword", "user.password", "secret", "secrets", "client_secret", "clientSecret"),
    *("token", "tokens", "access_token", "accessToken", "OAuthToken", "x-auth-token", "slack token"),
    *("api_key", "apiKey", "APIKey", "api-keys", "x-api-key", "private_key", "accessKey", "aws_secret_access_key"),
    *("secret_key", "SECRET_KEY", "signingKey", "ssh_key", "encryption_key"),
    *("credential", "credentials", "Authorization", "cookie", "Set-Cookie", "cookies", "pin"),
]
HARMLESS_NAMES = [
    *("tokens_used", "tokenizer", "token_count", "tokenized", "password_policy", "passes", "passenger", "compass"),
    *("secretary", "keys", "key", "monkey", "cookie_banner", "spin", "pinned", "pinning", "author", "apikeyboard"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_stands_under_a_telling_name_is_masked(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_what_stands_under_any_other_name_is_shown(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: "hunter2"}


def test_secrets_are_found_however_deep_they_stand() -> None:
    value: JsonValue = {"steps": [{"env": {"DB_PASSWORD": "a", "PORT": 80}}, [["x", {"apiKey": "b"}]]]}

    assert redact(value) == {"steps": [{"env": {"DB_PASSWORD": MASK, "PORT": 80}}, [["x", {"apiKey": MASK}]]]}


def test_all_that_stands_under_a_telling_name_is_masked_as_one() -> None:
    assert redact({"credentials": {"user": "ada", "words": ["a"]}, "pin": 1234}) == {"credentials": MASK, "pin": MASK}


def test_what_says_only_that_there_is_a_secret_is_shown() -> None:
    value: dict[str, JsonValue] = {"password": None, "token": "", "secret": True, "cookie": False}

    assert redact(value) == value


def test_a_number_of_tokens_is_no_secret() -> None:
    value: dict[str, JsonValue] = {"max_tokens": 4096, "totalTokens": 17, "tokens": 0}

    assert redact(value) == value


@pytest.mark.parametrize("value", [None, True, False, 0, 1, 1.5, 10**20, [], {}, [1, None, True]])
def test_numbers_booleans_and_nothing_are_shown(value: JsonValue) -> None:
    assert redact({"n": value, "list": [value]}) == {"n": value, "list": [value]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it is xoxb-123456789012-abcdef.", f"it is {MASK}."),
        ("xapp-1-A123-456-abcdef0123", MASK),
        (f"push with ghp_{'a' * 36}", f"push with {MASK}"),
        (f"github_pat_{'a1B_' * 10}", MASK),
        ("AKIAIOSFODNN7EXAMPLE", MASK),
        (f"sk-ant-{'a' * 30}", MASK),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", MASK),
        ("id-eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4.x", f"id-{MASK}.x"),
        ("eyJ-eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", MASK),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nb", f"a\n{MASK}\nb"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----", MASK),
        ("-----BEGIN PRIVATE KEY-----\nabc and it is cut", MASK),
        ("postgres://ada:hunter2@db/x", f"postgres://{MASK}@db/x"),
        ("postgres://ada:hun@ter2@db/x", f"postgres://{MASK}@db/x"),
        ("redis://:hunter2@cache:6379", f"redis://{MASK}@cache:6379"),
        ("401 for Authorization: Bearer abc.def-123456", f"401 for Authorization: Bearer {MASK}"),
        ("https://hooks.slack.com/services/T1/B2/xyz failed", f"https://hooks.slack.com/{MASK} failed"),
    ],
)
def test_a_text_that_looks_like_a_known_secret_is_masked_wherever_it_stands(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact({"note": [text]}) == {"note": [shown]}


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8080/path",
        "http://[::1]:80/ mail ada@example.com",
        '{"url":"http://a:80","mail":"ada@example.com"}',
        "the risk-assessment-of-everything-we-have",
        "xoxo",
        "sk-short",
        "the bearer of news",
        "tokenizer: 4096 tokens used",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_a_text_that_only_resembles_a_secret_is_shown(text: str) -> None:
    assert redact(text) == text


pieces = st.sampled_from(
    [
        *("xoxb-123456789012", "AKIAIOSFODNN7EXAMPLE", "sk-aaaaaaaaaaaaaaaaaaaaaaaa", "://", "ada", ":", "@", "/", " "),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "eyJhbGciOi", ".", "_", "-", MASK, "word"),
    ]
)
foreign_texts = st.lists(pieces | texts, max_size=8).map("".join)
names = st.sampled_from([*SECRET_NAMES, *HARMLESS_NAMES]) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | foreign_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@STEADY
@given(values)
def test_what_is_masked_once_stays_as_it_is(value: JsonValue) -> None:
    masked = redact(value)

    assert redact(masked) == masked


def test_a_password_behind_a_user_that_looks_like_a_token_is_masked_too() -> None:
    assert redact("https://xoxb-123456789012:hunter2@host") == f"https://{MASK}@host"


def test_a_long_text_of_beginnings_of_tokens_is_looked_through_at_once() -> None:
    text = "-eyJhbGciOiJIUzI1" * 60_000  # a million characters; each beginning used to be followed to the text's end
    began = time.process_time()

    assert redact(text) == text

    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"user": "ada", "login": {"password": "hunter2"}}', f'{{"user":"ada","login":{{"password":"{MASK}"}}}}'),
        ('{\n  "password": "hunter2"\n}', f'{{\n  "password": "{MASK}"\n}}'),
        ('[{"credentials": {"words": ["hunter2"]}}]', f'[{{"credentials":"{MASK}"}}]'),
        ('{"password": "hunter2 that is cut sh', f'{{"password":"{MASK}"}}'),
    ],
)
def test_text_that_is_json_is_looked_through(text: str, masked: str) -> None:
    assert redact({"arguments": text}) == {"arguments": masked}


@pytest.mark.parametrize("text", ['{"user":   "ada"}', "{not JSON, password: 1}", '["password"]', "{"])
def test_any_other_text_keeps_its_form(text: str) -> None:
    assert redact(text) == text
