from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import JsonValue

from spectra_bot import InterruptRequest, InvalidAnswerError, InvalidInputsError, RunResult, RunStatus, WorkflowRunner
from spectra_bot.demo.folders import MANIFEST, contents
from spectra_bot.demo.release import release
from spectra_bot.demo.sample import make_sample


class Release:
    """A run of the demo on two sample folders."""

    def __init__(self, runner: WorkflowRunner, place: Path) -> None:
        self.runner = runner
        self.source, self.target = make_sample(place)
        self.before = dict(contents(self.target))

    async def asks(self) -> InterruptRequest:
        result = await self.runner.run("release", {"source": self.source, "target": self.target})
        return self.only_question(result)

    def only_question(self, result: RunResult) -> InterruptRequest:
        assert result.status is RunStatus.INTERRUPTED, result.error
        (request,) = result.pending
        return request

    async def answers(
        self, request: InterruptRequest, option: str, leave_out: Sequence[str] | None = None, notes: str | None = None
    ) -> RunResult:
        data: dict[str, JsonValue] = {"leave_out": list(leave_out)} if leave_out is not None else {}
        return await self.runner.resume(
            request.run_id, request.answer(option, data=data, notes=notes, responder="cli:ada")
        )

    @property
    def now(self) -> dict[str, bytes]:
        return dict(contents(self.target))


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Release]:
    async with WorkflowRunner(workflows=[release], database=":memory:") as runner:
        yield Release(runner, tmp_path)


async def test_question_shows_every_file_and_the_diff(demo: Release) -> None:
    request = await demo.asks()

    assert request.data["files"] == [
        "changed config/prices.yaml",
        "changed site/index.html",
        "new site/spring.html",
        "new site/spring.ico",
    ]
    assert "-coffee: 2.80\n+coffee: 3.10" in str(request.data["diff"])
    assert demo.now == demo.before


async def test_approval_brings_over_exactly_what_was_shown(demo: Release) -> None:
    result = await demo.answers(await demo.asks(), "approve")

    assert result.status is RunStatus.COMPLETED
    after = demo.now
    manifest = json.loads(after.pop(MANIFEST))
    assert after == {**demo.before, **dict(contents(demo.source))}
    assert manifest["approved_by"] == "cli:ada"
    assert sorted(manifest["files"]) == [
        "config/prices.yaml",
        "site/index.html",
        "site/spring.html",
        "site/spring.ico",
    ]


async def test_rejection_changes_nothing_and_says_who_and_why(demo: Release) -> None:
    result = await demo.answers(await demo.asks(), "reject", notes="not today")

    assert result.status is RunStatus.FAILED
    assert "reject by cli:ada: not today" in str(result.error)
    assert demo.now == demo.before


async def test_modify_asks_anew_without_the_files_left_out(demo: Release) -> None:
    result = await demo.answers(await demo.asks(), "modify", ["site/index.html", "site/spring.ico"])
    second = demo.only_question(result)
    assert second.data["files"] == ["changed config/prices.yaml", "new site/spring.html"]
    assert second.data["left_out"] == ["site/index.html", "site/spring.ico"]
    assert "index.html" not in str(second.data["diff"])

    third = demo.only_question(await demo.answers(second, "modify", ["site/spring.html"]))
    result = await demo.answers(third, "approve")

    assert result.status is RunStatus.COMPLETED
    assert {path for path, content in demo.now.items() if demo.before.get(path) != content} == {
        "config/prices.yaml",
        MANIFEST,
    }


@pytest.mark.parametrize("leave_out", [["nope.txt"], ["site/index.html", "../etc/passwd"]])
async def test_unknown_file_to_leave_out_is_refused_and_the_question_stands(
    demo: Release, leave_out: list[str]
) -> None:
    request = await demo.asks()

    with pytest.raises(InvalidAnswerError) as caught:
        await demo.answers(request, "modify", leave_out)

    assert "leave_out" in caught.value.fields
    assert [pending.id for pending in await demo.runner.list_pending()] == [request.id]


async def test_unknown_file_among_more_than_a_menu_holds_is_told_in_a_new_question(demo: Release) -> None:
    for number in range(120):
        (demo.source / f"page-{number}.txt").write_text("x")

    second = demo.only_question(await demo.answers(await demo.asks(), "modify", ["nope.txt", "page-7.txt"]))
    third = demo.only_question(await demo.answers(second, "modify", ["nope.txt"]))
    fourth = demo.only_question(await demo.answers(third, "modify", ["page-7.txt"]))

    assert second.reason.startswith("Not in this release: nope.txt. Nothing more was left out.")
    assert third.reason == second.reason
    assert "new page-7.txt" in json.dumps(third.data["files"])
    assert fourth.data["left_out"] == ["page-7.txt"]


async def test_leaving_nothing_out_is_told_in_a_new_question(demo: Release) -> None:
    second = demo.only_question(await demo.answers(await demo.asks(), "modify", []))

    assert second.reason.startswith("No file was named to leave out.")
    assert len(second.data["files"]) == 4  # type: ignore[arg-type]


async def test_leaving_everything_out_ends_without_a_release(demo: Release) -> None:
    request = await demo.asks()
    everything = [line.split(" ", 1)[1] for line in map(str, request.data["files"])]  # type: ignore[arg-type]

    result = await demo.answers(request, "modify", everything)

    assert result.status is RunStatus.COMPLETED
    assert demo.now == demo.before


async def test_nothing_to_release_asks_nobody(demo: Release) -> None:
    first = await demo.answers(await demo.asks(), "approve")
    assert first.status is RunStatus.COMPLETED

    result = await demo.runner.run("release", {"source": demo.source, "target": demo.target})

    assert result.status is RunStatus.COMPLETED
    assert result.outputs["compare"]["message"] == "Nothing to release: 5 files are equal already"  # type: ignore[index, call-overload]


async def test_file_that_changed_after_it_was_shown_stops_the_release(demo: Release) -> None:
    request = await demo.asks()
    (demo.source / "site/spring.html").write_text("<script>slipped in</script>")

    result = await demo.answers(request, "approve")

    assert result.status is RunStatus.FAILED
    assert "site/spring.html in the source changed" in str(result.error)
    assert demo.now == demo.before


async def test_release_that_stopped_half_way_is_finished_by_a_retry(demo: Release) -> None:
    request = await demo.asks()
    (demo.target / MANIFEST).mkdir()
    failed = await demo.answers(request, "approve")
    assert failed.status is RunStatus.FAILED
    (demo.target / MANIFEST).rmdir()
    (demo.target / "config/prices.yaml").write_bytes((demo.source / "config/prices.yaml").read_bytes())

    result = await demo.runner.retry(request.run_id)

    assert result.status is RunStatus.COMPLETED
    assert (demo.target / "site/spring.html").is_file()


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"source": "x"}, "target"),
        ({"source": "", "target": "y"}, "source"),
        ({"source": "x", "target": "y", "z": 1}, "z"),
    ],
)
async def test_inputs_that_do_not_fit_are_refused(demo: Release, inputs: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputsError) as caught:
        await demo.runner.start("release", inputs)

    assert field in caught.value.fields


async def test_folder_that_is_not_there_fails_with_its_path(demo: Release, tmp_path: Path) -> None:
    result = await demo.runner.run("release", {"source": tmp_path / "gone", "target": demo.target})

    assert result.status is RunStatus.FAILED
    assert f"source: {tmp_path / 'gone'} is not there" in str(result.error)
