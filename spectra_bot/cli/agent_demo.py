"""`demo --agent`: tests that really fail, and an agent that asks before it mends them."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from spectra_bot.cli.demo_session import place_for, play, with_database
from spectra_bot.cli.demo_views import triage_prose
from spectra_bot.cli.options import Call
from spectra_bot.cli.output import stderr, stdout
from spectra_bot.demo.sample import make_failing_sample
from spectra_bot.loading import load_workflows
from spectra_bot.printable import printable
from spectra_bot.runs import RunResult

PLACE = "spectra_bot.demo.triage"
"""Where `--workflows` finds the workflow."""


def triage_demo(call: Call, folder: Path | None, answer: str | None) -> RunResult:
    """Have the agent mend the tests of a folder, or of a sample that is made for it.

    Without a model in the settings a script stands in for one, which knows the sample only.

    Raises:
        DefinitionError: the extra `agent` is not installed; says how to install it.
        SettingsError: the model can't be used, or there is none for a folder of one's own.
    """
    loaded = load_workflows((PLACE,))
    from spectra_bot.demo.agent_model import OFFLINE, model_name, model_named  # the extra is there  # noqa: PLC0415

    stands_in = OFFLINE if folder is None else None
    model = model_name(call.settings.agent_model or stands_in)
    model_named(model)
    place = place_for(call, needs_sample=folder is None)
    if place is not None and folder is None:
        folder = make_failing_sample(place)
    assert folder is not None  # noqa: S101  made above, or given
    call = with_database(call, place)
    stderr().print(triage_prose(folder, call.settings.db, None if model == OFFLINE else model), soft_wrap=True)
    result = play(call, loaded, "triage", {"folder": str(folder), "model": model}, answer)
    _tell_how_to_undo(call, result)
    return result


def _tell_how_to_undo(call: Call, result: RunResult) -> None:
    """Print the commands on lines of their own, to be copied."""
    match result.outputs.get("run_tests_again"):
        case {"to undo": [*commands]} if commands:
            console = stderr() if call.as_json else stdout()
            console.print("To take it back:", style="bold")
            for command in commands:
                console.print(Text(f"  {printable(str(command))}"), soft_wrap=True)
