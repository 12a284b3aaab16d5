"""Commands that a person can copy: complete, quoted for the shell, and true from any folder."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from spectra_bot.forms import FieldKind, Form
from spectra_bot.interrupts import InterruptRequest
from spectra_bot.options import InterruptOption


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsToType:
    """Words commands for one database and one set of workflows."""

    db: Path | None
    """None where runs are in Temporal, which the environment names."""
    places: Sequence[str] = ()

    def of(self, *words: str, with_workflows: bool = True) -> str:
        """A command of this program."""
        places = [part for place in self.places for part in ("--workflows", place)] if with_workflows else []
        db = ["--db", str(self.db.absolute())] if self.db is not None else []
        return shlex.join([_program(), *words, *db, *places])

    def answer(self, request: InterruptRequest, option: InterruptOption) -> str:
        """The command that answers a question with one of its options."""
        example = _example(option.form) if option.form else {}
        data = ["--data", json.dumps(example, ensure_ascii=False)] if example else []
        return self.of("answer", request.id, option.id, *data)

    def answers(self, request: InterruptRequest) -> list[str]:
        """The command for each option of a question."""
        return [self.answer(request, option) for option in request.options]


def _program() -> str:
    """This program as a shell finds it: by its name where that leads here, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "spectra-bot":
        return "spectra-bot"
    found = shutil.which("spectra-bot")
    return "spectra-bot" if found and Path(found).samefile(called.absolute()) else str(called.absolute())


def _example(form: Form) -> dict[str, JsonValue]:
    return {
        field.name: field.default if field.default is not None else _sample(field.kind, field.choices)
        for field in form.fields
        if field.required or form.free
    }


def _sample(kind: FieldKind, choices: Sequence[str]) -> JsonValue:
    match kind:
        case FieldKind.TEXT:
            return choices[0] if choices else "..."
        case FieldKind.NUMBER | FieldKind.INTEGER:
            return 0
        case FieldKind.BOOLEAN:
            return True
        case FieldKind.LIST:
            return [choices[0] if choices else "..."]
