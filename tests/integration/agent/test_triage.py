"""The demo's agent, in a folder whose tests really fail."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from spectra_bot import InterruptRequest, InvalidInputsError, RunResult, RunStatus, RunUpdate, WorkflowRunner
from spectra_bot.demo.offline_model import NOT_THE_SAMPLE
from spectra_bot.demo.sample import PRICES, WRONG_LINE, make_failing_sample
from spectra_bot.demo.triage import triage
from tests.openai_server import Says, an_openai

RIGHT = "    return sum(prices) * (100 - percent) // 100\n"


def patch(old: str, new: str, path: str = "prices.py") -> str:
    return f"--- a/{path}\n+++ b/{path}\n@@ -7,2 +7,2 @@\n     whole = sum(prices)\n-{old}+{new}"


def output(result: RunResult, step: str) -> Any:
    return result.outputs[step]


class Triage:
    """Runs of the demo in one sample folder."""

    def __init__(self, runner: WorkflowRunner, place: Path, progress: list[str]) -> None:
        self.runner = runner
        self.folder = make_failing_sample(place)
        self.progress = progress

    async def runs(self, **inputs: object) -> RunResult:
        return await self.runner.run("triage", {"folder": self.folder, "model": "offline", **inputs})

    async def asks(self, **inputs: object) -> InterruptRequest:
        return self.question(await self.runs(**inputs))

    def question(self, result: RunResult) -> InterruptRequest:
        assert result.status is RunStatus.INTERRUPTED, (result.error, result.outputs)
        (request,) = result.pending
        return request

    async def answers(self, request: InterruptRequest, option: str, **given: Any) -> RunResult:
        return await self.runner.resume(request.run_id, request.answer(option, responder="cli:ada", **given))

    @property
    def prices(self) -> str:
        return (self.folder / "prices.py").read_text()


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Triage]:
    monkeypatch.delenv("SPECTRA_AGENT_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)
    progress: list[str] = []

    def listen(update: RunUpdate) -> None:
        progress.append(update.text or "")

    async with WorkflowRunner(workflows=[triage], database=":memory:", listeners=[listen]) as runner:
        yield Triage(runner, tmp_path, progress)


async def test_question_shows_the_failing_tests_the_diff_and_why(demo: Triage) -> None:
    request = await demo.asks()

    assert [option.id for option in request.options] == ["apply", "reject", "edit"]
    assert request.data == {
        "folder": str(demo.folder),
        "tests": "1 failed, 2 passed",
        "why": "A discount of 10 percent takes away everything: it is divided by 10, and percent are hundredths.",
        "files": ["changed prices.py"],
        "diff": "--- a/prices.py\n+++ b/prices.py\n@@ -4,4 +4,4 @@\n"
        " def total(prices: list[int], percent: int = 0) -> int:\n"
        '     """The sum in cents, less a discount in percent."""\n'
        "     whole = sum(prices)\n"
        "-    return whole - whole * percent // 10\n"
        "+    return whole - whole * percent // 100\n",
    }
    assert demo.prices == PRICES


async def test_applied_patch_mends_the_tests_and_can_be_taken_back(demo: Triage) -> None:
    done = await demo.answers(await demo.asks(), "apply")

    assert output(done, "run_tests_again")["outcome"] == "fixed"
    assert "percent // 100" in demo.prices
    (undo,) = output(done, "run_tests_again")["to undo"]
    await asyncio.to_thread(subprocess.run, ["sh", "-c", undo], check=True)
    assert demo.prices == PRICES


async def test_agent_is_told_why_its_patch_was_rejected(demo: Triage) -> None:
    again = await demo.answers(await demo.asks(), "reject", notes="say it in another way")
    done = await demo.answers(demo.question(again), "reject")

    told = [text for text in demo.progress if text.startswith("propose_patch: ")]
    assert told[0] == "propose_patch: cli:ada rejected this patch: say it in another way"
    assert done.status is RunStatus.COMPLETED
    assert output(done, "run_tests_again")["message"] == "Still failing: 1 failed, 2 passed (nothing was applied)"
    assert demo.prices == PRICES


async def test_edited_patch_is_checked_and_shown_before_and_after(demo: Triage) -> None:
    first = await demo.asks()
    (field,) = first.options[2].form.fields if first.options[2].form else ()

    outside = await demo.answers(first, "edit", data={"patch": patch(WRONG_LINE, RIGHT, path="../prices.py")})
    stale = await demo.answers(demo.question(outside), "edit", data={"patch": patch("    no\n", RIGHT)})
    edited = await demo.answers(demo.question(stale), "edit", data={"patch": patch(WRONG_LINE, RIGHT)})
    shown = demo.question(edited)
    untouched = demo.prices
    done = await demo.answers(shown, "apply")

    assert field.default == first.data["diff"]
    assert "not a path inside the folder" in str(demo.question(outside).data["could not be used"])
    assert "does not apply" in str(demo.question(stale).data["could not be used"])
    assert demo.question(stale).data["diff"] == first.data["diff"]
    assert shown.reason == "Apply this patch, as edited? It changes prices.py"
    assert f"+{RIGHT}" in str(shown.data["diff"])
    assert shown.data["diff before"] == first.data["diff"]
    assert "could not be used" not in shown.data
    assert untouched == PRICES
    assert demo.prices == PRICES.replace(WRONG_LINE, RIGHT)
    assert output(done, "run_tests_again")["outcome"] == "fixed"


async def test_file_that_changed_since_it_was_shown_is_left_alone_and_the_agent_told(demo: Triage) -> None:
    request = await demo.asks()
    theirs = PRICES.replace("What a basket costs", "What people pay")
    (demo.folder / "prices.py").write_text(theirs)

    again = demo.question(await demo.answers(request, "apply"))

    assert demo.prices == theirs
    assert any("since the patch was shown prices.py changed; nothing was applied" in text for text in demo.progress)
    assert "percent) // 100" in str(again.data["diff"])


async def test_question_stays_as_it_was_shown_whatever_happens_to_the_folder(demo: Triage) -> None:
    request = await demo.asks()
    (demo.folder / "prices.py").unlink()

    again = await demo.answers(request, "edit", data={"patch": patch(WRONG_LINE, RIGHT)})

    assert "No such file" in str(demo.question(again).data["could not be used"])
    assert demo.question(again).data["diff"] == request.data["diff"]


async def test_tests_that_pass_leave_nothing_to_do(demo: Triage) -> None:
    (demo.folder / "prices.py").write_text(PRICES.replace(WRONG_LINE, RIGHT))

    done = await demo.runs()

    assert done.status is RunStatus.COMPLETED
    assert output(done, "run_tests")["message"] == "Nothing to triage: 3 passed"
    assert "run_tests_again" not in done.outputs


async def test_script_says_that_it_is_no_model(demo: Triage) -> None:
    (demo.folder / "prices.py").write_text(PRICES.replace("whole", "all_of_it"))

    done = await demo.runs()

    assert output(done, "run_tests_again")["agent"] == NOT_THE_SAMPLE
    assert output(done, "run_tests_again")["outcome"] == "still failing"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"model": None}, "set SPECTRA_AGENT_MODEL to one by its name in pydantic-ai"),
        ({"model": "nonsense"}, "the model nonsense can't be used (SPECTRA_AGENT_MODEL): Unknown model"),
        ({"folder": "/no/such/folder"}, "/no/such/folder is not there"),
        ({"command": "no-such-program -q"}, "no-such-program is not installed"),
        ({"command": "pytest -q no_such_file.py"}, "runs no tests"),
    ],
)
async def test_what_is_missing_fails_the_run_clearly(demo: Triage, inputs: dict[str, object], said: str) -> None:
    failed = await demo.runs(**inputs)

    assert failed.status is RunStatus.FAILED
    assert str(failed.error).startswith("run_tests: ")
    assert said in str(failed.error)


@pytest.mark.parametrize("command", ["", " ", "pytest 'x"])
async def test_command_that_is_none_is_refused(demo: Triage, command: str) -> None:
    with pytest.raises(InvalidInputsError, match="command"):
        await demo.runs(command=command)


async def test_any_model_is_taken_by_the_setting_and_what_it_may_not_propose_is_never_asked(
    demo: Triage, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = patch(WRONG_LINE, RIGHT, path="../prices.py")
    (demo.folder.parent / "prices.py").write_text(PRICES)
    turns: Sequence[Says] = (
        Says(calls=[("c1", "list_files", {}), ("c2", "read_file", {"path": "../prices.py"})]),
        Says(calls=[("c3", "propose_patch", {"diff": outside, "why": "It is wrong."})]),
        Says(calls=[("c4", "propose_patch", {"diff": patch("    no\n", RIGHT), "why": "It is wrong."})]),
        Says(calls=[("c5", "propose_patch", {"diff": patch(WRONG_LINE, RIGHT), "why": "It is wrong."})]),
        Says(text="Mended."),
    )
    async with an_openai(*turns) as server:
        monkeypatch.setenv("SPECTRA_AGENT_MODEL", "openai-chat:gpt-4o")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")

        request = await demo.asks(model=None)
        done = await demo.answers(request, "apply")

    told = {one["tool_call_id"]: one["content"] for one in server.asked[-1]["messages"] if one["role"] == "tool"}
    asks = [line.event for line in await demo.runner.history(done.run_id)].count("InterruptRaised")
    assert asks == 1
    assert json.loads(told["c1"]) == ["prices.py", "test_prices.py"]
    assert "../prices.py is not a path inside the folder" in told["c2"]
    assert "../prices.py is not a path inside the folder" in told["c3"]
    assert "does not apply" in told["c4"]
    assert told["c5"] == "cli:ada had it applied. Changed: prices.py."
    assert output(done, "triage")["summary"] == "Mended."
    assert output(done, "run_tests_again")["outcome"] == "fixed"
    assert len(server.asked) == 5


def test_folder_named_by_its_home_is_held_as_an_absolute_path() -> None:
    stored = triage.stored_inputs({"folder": "~"})

    assert stored["folder"] == str(Path("~").expanduser().resolve())
    assert shlex.split(str(stored["command"])) == ["pytest", "-q"]
