from __future__ import annotations

import asyncio
import io
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import pytest
from pydantic import BaseModel, Field
from rich.console import Console

from handlers.console import ConsoleHandler
from spectra_bot import (
    FieldKind,
    Form,
    FormField,
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
)
from tests.unit.handlers.questions import question


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Change(BaseModel):
    replicas: int = Field(ge=1, le=9, description="how many")
    regions: list[str] = []
    dry: bool = False
    colour: Colour = Colour.RED


class Terminal:
    """A person at a terminal: lines go in one at a time, and what is shown is read as text."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._shown = io.StringIO()
        self.left: list[str] = []
        self.asking = 0
        self.most_asking = 0
        self.handler = ConsoleHandler(
            console=Console(file=self._shown, width=100),
            read_line=self._lines.get,
            responder="cli:ada",
            on_left=lambda request: self.left.append(request.id),
            while_asking=self._asks,
        )

    def types(self, *lines: str) -> None:
        for line in lines:
            self._lines.put(f"{line}\n")

    def ends(self) -> None:
        self._lines.put("")

    @property
    def shown(self) -> str:
        return self._shown.getvalue()

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(5):
            while text not in self.shown:
                await asyncio.sleep(0)

    @contextmanager
    def _asks(self) -> Iterator[None]:
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        try:
            yield
        finally:
            self.asking -= 1


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


async def _answer(terminal: Terminal, request: InterruptRequest, *lines: str) -> InterruptResponse:
    terminal.types(*lines)
    async with asyncio.timeout(5):
        answer = await terminal.handler.handle(request)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    "word",
    ["1", "approve", "APPROVE", "a", "app", "Approve"],
    ids=["number", "word", "case", "letter", "start", "label"],
)
async def test_option_is_chosen_by_number_word_or_its_start(terminal: Terminal, word: str) -> None:
    answer = await _answer(terminal, question(), word, "")

    assert (answer.option, answer.status, answer.notes) == ("approve", InterruptStatus.APPROVED, None)
    assert (answer.responder, answer.interrupt_id) == ("cli:ada", "i-1")


async def test_note_is_stored_with_the_decision(terminal: Terminal) -> None:
    answer = await _answer(terminal, question(), "reject", "not on a Friday")

    assert (answer.option, answer.notes) == ("reject", "not on a Friday")


async def test_word_that_fits_nothing_is_asked_again_with_what_was_meant(terminal: Terminal) -> None:
    answer = await _answer(terminal, question(), "aprove", "0", "3", "approve", "")

    assert answer.option == "approve"
    assert "'aprove' is not one of approve, reject; did you mean approve?" in terminal.shown
    assert terminal.shown.count("is not one of") == 3


async def test_start_that_fits_two_options_is_asked_again(terminal: Terminal) -> None:
    answer = await _answer(terminal, question(options=("retry", "reject", "ok")), "re", "rej", "")

    assert answer.option == "reject"
    assert "'re' could be retry or reject" in terminal.shown


async def test_option_whose_id_is_a_number_is_meant_by_it(terminal: Terminal) -> None:
    answer = await _answer(terminal, question(options=("2", "1")), "1", "")

    assert answer.option == "1"


@pytest.mark.parametrize("end", ["empty line", "end of input"])
async def test_question_is_left_open_with_a_way_to_answer_later(terminal: Terminal, end: str) -> None:
    terminal.types("") if end == "empty line" else terminal.ends()

    answer = await terminal.handler.handle(question())

    assert answer is None
    assert terminal.left == ["i-1"]
    assert "Left open. To answer later: spectra-bot answer i-1 OPTION" in terminal.shown


async def test_text_of_several_lines_is_changed_in_an_editor_until_it_fits(terminal: Terminal) -> None:
    seen: list[str] = []

    async def edit(text: str) -> str:
        seen.append(text)
        return f"{text}more\n"

    handler = ConsoleHandler(
        console=Console(file=io.StringIO()), read_line=lambda: "edit\n" if not seen else "\n", edit=edit
    )
    field = FormField(
        name="text", label="Text", kind=FieldKind.TEXT, multiline=True, default="a\nb\n", limits={"min_length": 10}
    )

    async with asyncio.timeout(5):
        answer = await handler.handle(
            question(options=("approve", InterruptOption("edit", form=Form(fields=(field,)))))
        )

    assert answer is not None
    assert seen == ["a\nb\n", "a\nb\nmore\n"]
    assert answer.data == {"text": "a\nb\nmore\nmore\n"}


async def test_form_is_filled_in_field_by_field_and_asked_again_where_wrong(terminal: Terminal) -> None:
    request = question(options=("approve", InterruptOption("modify", form=Change)))

    answer = await _answer(terminal, request, "modify", "12", "eu, us", "yes", "green", "3", "blue", "note")

    assert answer.data == {"replicas": 3, "regions": ["eu", "us"], "dry": True, "colour": "blue"}
    assert answer.notes == "note"
    assert "replicas: Input should be less than or equal to 9" in terminal.shown
    assert "colour: Input should be 'red' or 'blue'" in terminal.shown
    assert "how many (a whole number)" in terminal.shown


async def test_field_that_is_left_empty_keeps_its_default(terminal: Terminal) -> None:
    request = question(options=(InterruptOption("modify", form=Change),))

    answer = await _answer(terminal, request, "modify", "2", "", "", "", "")

    assert answer.data == {"replicas": 2, "regions": [], "dry": False, "colour": "red"}


async def test_modification_that_says_nothing_is_asked_for_again(terminal: Terminal) -> None:
    answer = await _answer(terminal, question(options=("approve", "modify")), "modify", "", "fewer")

    assert "something has to be said; Ctrl-D leaves the question open" in terminal.shown
    assert answer.data == {"notes": "fewer"}


async def test_form_that_is_given_up_leaves_the_question_open(terminal: Terminal) -> None:
    terminal.types("modify")
    terminal.ends()

    answer = await terminal.handler.handle(question(options=("approve", "modify")))

    assert answer is None
    assert terminal.left == ["i-1"]


async def test_option_that_asks_once_more_is_not_taken_at_a_no(terminal: Terminal) -> None:
    drop = InterruptOption("drop", confirm="Drop the database?")

    answer = await _answer(terminal, question(options=(drop, "keep")), "drop", "", "drop", "y", "")

    assert answer.option == "drop"
    assert terminal.shown.count("Drop the database? [y/N]:") == 2


async def test_person_who_may_not_decide_is_told_who_may_and_not_asked(terminal: Terminal) -> None:
    answer = await terminal.handler.handle(question(approvers=("cli:grace",)))

    assert answer is None
    assert "You are cli:ada and may not decide this." in terminal.shown
    assert "cli:grace" in terminal.shown
    assert "Your decision" not in terminal.shown


async def test_answer_from_elsewhere_ends_the_prompt_at_once(terminal: Terminal) -> None:
    asked = asyncio.create_task(terminal.handler.handle(question()))
    await terminal.shows("Your decision")

    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert "Interrupt i-1 is closed here: answered elsewhere" in terminal.shown
    assert terminal.asking == 0


async def test_line_begun_for_a_question_that_was_answered_elsewhere_decides_nothing(terminal: Terminal) -> None:
    asked = asyncio.create_task(terminal.handler.handle(question()))
    await terminal.shows("Your decision")
    asked.cancel()
    await asyncio.wait({asked})

    second = asyncio.create_task(terminal.handler.handle(question("Another?", interrupt_id="i-2")))
    await terminal.shows("Another?")
    terminal.types("approve")
    await terminal.shows("That line was begun before this question; type it again.")
    terminal.types("reject", "")

    answer = await second
    assert answer is not None
    assert (answer.interrupt_id, answer.option) == ("i-2", "reject")


async def test_two_questions_are_asked_one_after_the_other(terminal: Terminal) -> None:
    first = asyncio.create_task(terminal.handler.handle(question(interrupt_id="i-1")))
    second = asyncio.create_task(terminal.handler.handle(question(interrupt_id="i-2")))
    terminal.types("approve", "", "reject", "")

    answers = [await first, await second]

    assert [answer.option for answer in answers if answer] == ["approve", "reject"]
    assert terminal.most_asking == 1


async def test_closed_handler_asks_nothing_and_says_nothing(terminal: Terminal) -> None:
    asked = asyncio.create_task(terminal.handler.handle(question()))
    await terminal.shows("Your decision")

    terminal.handler.close()
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert "closed here" not in terminal.shown
    assert await terminal.handler.handle(question()) is None
