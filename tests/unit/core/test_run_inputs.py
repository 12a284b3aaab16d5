"""What a workflow takes, and typed words made to fit it."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from spectra_bot import (
    InputField,
    InvalidInputsError,
    InvalidWordError,
    Workflow,
    fitting_inputs,
    inputs_of,
    read_words,
)


class Inputs(BaseModel):
    """One of each."""

    env: Literal["dev", "prod"] = Field(description="where to")
    tag: str = "latest"
    replicas: int = 2
    dry_run: bool = False
    only: list[str] = []
    note: str | None = None
    api_token: str = "t0ken"


WORKFLOW = Workflow("deploy", inputs=Inputs)


def fitted(*words: str, workflow: Workflow = WORKFLOW) -> dict[str, Any]:
    """The inputs that typed words come to."""
    return fitting_inputs(workflow, read_words(words))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["env"], "'env' is not key=value"),
        (["=x"], "'=x' is not key=value"),
        (["env=a", "env=b"], "'env' is given twice"),
    ],
)
def test_a_word_that_cannot_be_read_says_how_it_is_written(words: list[str], problem: str) -> None:
    with pytest.raises(InvalidWordError, match=problem):
        read_words(words)


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (["env=prod"], {"env": "prod"}),
        (["env=prod", "replicas=3", "dry_run=true"], {"env": "prod", "replicas": 3, "dry_run": True}),
        (["env=prod", "tag=2024"], {"env": "prod", "tag": "2024"}),
        (["env=prod", "tag=1.10", "note=null"], {"env": "prod", "tag": "1.10", "note": None}),
        (["env=prod", "only=a,b"], {"env": "prod", "only": ["a", "b"]}),
        (["env=prod", 'only=["a b"]'], {"env": "prod", "only": ["a b"]}),
        (["env=prod", "tag=NaN"], {"env": "prod", "tag": "NaN"}),
        (["env=prod", "tag=a=b"], {"env": "prod", "tag": "a=b"}),
    ],
)
def test_a_word_is_read_as_what_the_workflow_takes(words: list[str], inputs: dict[str, Any]) -> None:
    assert fitted(*words) == inputs


def test_a_word_counts_more_than_a_value_of_the_same_name() -> None:
    inputs = fitting_inputs(WORKFLOW, read_words(["env=prod"]), {"env": "dev", "replicas": 4})

    assert inputs == {"env": "prod", "replicas": 4}


@pytest.mark.parametrize(
    ("words", "field", "problem"),
    [
        ([], "env", "Field required"),
        (["env=prod", "replicas=many"], "replicas", "valid integer"),
        (["env=prod", "replcas=3"], "replcas", "did you mean replicas?"),
        (["env=prod", "zzz=3"], "zzz", "not an input of deploy"),
        (["env=mars"], "env", "'dev' or 'prod'"),
    ],
)
def test_a_bad_word_is_told_at_its_field(words: list[str], field: str, problem: str) -> None:
    with pytest.raises(InvalidInputsError) as refused:
        fitted(*words)

    assert problem in refused.value.fields[field]


def test_a_workflow_without_a_model_or_with_an_open_one_takes_any_name() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert fitted("a=1", "b=x", workflow=Workflow("any")) == {"a": 1, "b": "x"}
    assert fitted("a=1", workflow=Workflow("open", inputs=Open)) == {"a": 1}


def test_inputs_are_described_from_the_model_and_secrets_are_not() -> None:
    fields = {field.name: field for field in inputs_of(WORKFLOW)}

    assert fields["env"] == InputField(name="env", kind="one of dev, prod", is_required=True, help="where to")
    assert (fields["replicas"].kind, fields["replicas"].default) == ("whole number", 2)
    assert fields["only"].kind == "list of text"
    assert fields["note"].kind == "text"
    assert fields["dry_run"].kind == "true or false"
    assert fields["api_token"].default != "t0ken"
