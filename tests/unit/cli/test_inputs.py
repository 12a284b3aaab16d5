from __future__ import annotations

import click
import pytest
from pydantic import BaseModel, JsonValue

from spectra_bot import InvalidInputsError, Workflow
from spectra_bot.cli.inputs import parse_inputs, parse_json_object


class Deploy(BaseModel):
    env: str
    replicas: int = 2
    regions: list[str] = []
    labels: dict[str, str] | None = None


deploy = Workflow("deploy", inputs=Deploy)


@pytest.mark.parametrize(
    ("words", "as_json", "stored"),
    [
        (["env=prod", "replicas=3"], None, {"env": "prod", "replicas": 3}),
        (["env=a=b"], None, {"env": "a=b"}),
        (["env=[1]"], None, {"env": "[1]"}),
        (["env=007"], None, {"env": "007"}),
        (["env=x", 'regions=["eu", "us"]'], None, {"regions": ["eu", "us"]}),
        (["env=x", "regions=eu,us"], None, {"regions": ["eu", "us"]}),
        (["env=x", 'labels={"a": "b"}'], None, {"labels": {"a": "b"}}),
        (["env=prod"], '{"env": "staging", "replicas": 4}', {"env": "prod", "replicas": 4}),
    ],
)
def test_words_become_inputs(words: list[str], as_json: str | None, stored: dict[str, JsonValue]) -> None:
    inputs = deploy.stored_inputs(parse_inputs(words, as_json, deploy))

    assert stored.items() <= inputs.items()


@pytest.mark.parametrize(
    ("words", "as_json", "said"),
    [
        (["prod"], None, "'prod' is not key=value"),
        (["=prod"], None, "is not key=value"),
        (["env=a", "env=b"], None, "'env' is given twice"),
        ([], "{", "--inputs is not JSON"),
        ([], "[1]", "--inputs takes a JSON object"),
    ],
)
def test_words_that_are_no_inputs_are_refused(words: list[str], as_json: str | None, said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        parse_inputs(words, as_json, deploy)


def test_misspelt_input_is_refused_with_what_was_meant() -> None:
    with pytest.raises(InvalidInputsError, match="did you mean replicas"):
        parse_inputs(["env=x", "replica=3"], None, deploy)


def test_data_of_a_form_is_one_object() -> None:
    assert parse_json_object('{"a": [1]}', "--data") == {"a": [1]}
