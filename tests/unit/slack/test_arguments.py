"""What is typed behind the slash command."""

from __future__ import annotations

import pytest

from handlers.slack.arguments import ArgumentsError, StartArguments, read_start, words_of
from spectra_bot import InvalidWordError


def test_words_are_split_as_in_a_shell_with_bent_quotes_too() -> None:
    assert words_of('run deploy note="two words"') == ["run", "deploy", "note=two words"]
    assert words_of("run deploy note=“two words”") == ["run", "deploy", "note=two words"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
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


def test_words_and_json_are_the_inputs_of_the_workflow_named_first() -> None:
    read = read_start(words_of("""deploy --json '{"env": "dev", "replicas": 4}' env=prod"""))

    assert read == StartArguments(workflow="deploy", texts={"env": "prod"}, values={"env": "dev", "replicas": 4})


def test_a_word_that_is_no_input_is_told() -> None:
    with pytest.raises(InvalidWordError, match="'env' is not key=value"):
        read_start(words_of("deploy env"))
