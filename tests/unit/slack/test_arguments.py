"""What is typed behind the slash command, and how it is made to fit a workflow."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from handlers.slack.arguments import ArgumentsError, read_start, words_of
from handlers.slack.inputs import InputField, close_to, fitting_inputs, inputs_of
from spectra_bot import InvalidInputsError, Workflow


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


def fitted(text: str, workflow: Workflow = WORKFLOW) -> dict[str, Any]:
    """The inputs that a typed text comes to."""
    return fitting_inputs(workflow, read_start(words_of(text)))


def test_words_are_split_as_in_a_shell_with_bent_quotes_too() -> None:
    assert words_of('run deploy note="two words"') == ["run", "deploy", "note=two words"]
    assert words_of("run deploy note=“two words”") == ["run", "deploy", "note=two words"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("deploy env", "'env' is not key=value"),
        ("deploy =x", "'=x' is not key=value"),
        ("deploy env=a env=b", "env is given twice"),
        ("deploy --json", "behind --json comes an object"),
        ("deploy --json [1]", "behind --json comes an object"),
        ("", "name the workflow"),
    ],
)
def test_what_cannot_be_read_says_how_it_is_written(text: str, problem: str) -> None:
    with pytest.raises(ArgumentsError, match=problem):
        read_start(words_of(text))


def test_an_open_quote_is_told() -> None:
    with pytest.raises(ArgumentsError, match="quote is not closed"):
        words_of('note="two')


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("deploy env=prod", {"env": "prod"}),
        ("deploy env=prod replicas=3 dry_run=true", {"env": "prod", "replicas": 3, "dry_run": True}),
        ("deploy env=prod tag=2024", {"env": "prod", "tag": "2024"}),
        ("deploy env=prod tag=1.10 note=null", {"env": "prod", "tag": "1.10", "note": None}),
        ("deploy env=prod only=a,b", {"env": "prod", "only": ["a", "b"]}),
        ("""deploy env=prod only='["a b"]'""", {"env": "prod", "only": ["a b"]}),
        ("""deploy --json '{"env": "dev", "replicas": 4}' env=prod""", {"env": "prod", "replicas": 4}),
        ("deploy env=prod tag=NaN", {"env": "prod", "tag": "NaN"}),
    ],
)
def test_a_word_is_read_as_what_the_workflow_takes(text: str, inputs: dict[str, Any]) -> None:
    assert fitted(text) == inputs


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("deploy", "env", "Field required"),
        ("deploy env=prod replicas=many", "replicas", "valid integer"),
        ("deploy env=prod replcas=3", "replcas", "did you mean replicas?"),
        ("deploy env=prod zzz=3", "zzz", "not an input of deploy"),
        ("deploy env=mars", "env", "'dev' or 'prod'"),
    ],
)
def test_a_bad_word_is_told_at_its_field(text: str, field: str, problem: str) -> None:
    with pytest.raises(InvalidInputsError) as refused:
        fitted(text)

    assert problem in refused.value.fields[field]


def test_a_workflow_without_a_model_or_with_an_open_one_takes_any_name() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert fitted("any a=1 b=x", Workflow("any")) == {"a": 1, "b": "x"}
    assert fitted("open a=1", Workflow("open", inputs=Open)) == {"a": 1}


def test_inputs_are_described_from_the_model_and_secrets_are_not() -> None:
    fields = {field.name: field for field in inputs_of(WORKFLOW)}

    assert fields["env"] == InputField(name="env", kind="one of dev, prod", is_required=True, help="where to")
    assert (fields["replicas"].kind, fields["replicas"].default) == ("whole number", 2)
    assert fields["only"].kind == "list of text"
    assert fields["note"].kind == "text"
    assert fields["dry_run"].kind == "true or false"
    assert fields["api_token"].default != "t0ken"


def test_a_close_word_is_suggested_and_a_far_one_is_not() -> None:
    assert close_to("Pendign", ["pending", "runs"]) == "pending"
    assert close_to("xyz", ["pending", "runs"]) is None
