"""The slash command starts and steers runs, and answers who typed it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from spectra_bot import RunStatus, StepContext, StoreError, Workflow
from tests.engines import Place
from tests.integration.slack.bot import a_bot, has_buttons
from tests.integration.slack.workflows import ask, deploy


async def test_run_starts_a_run_that_asks_where_it_was_typed(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        ack = await bot.command("run deploy env=prod replicas=3 tag=1.10", user="U2")

        (run,) = await bot.runner.list_runs()
        assert f"Started run `{run.run_id}` of deploy" in ack.text
        assert ack.problem is None
        details = await bot.runner.get(run.run_id)
        assert details.requested_by == "slack:T1/U2"
        assert details.inputs == {"env": "prod", "replicas": 3, "tag": "1.10", "only": []}
        assert "asked by <@U2>" in (await bot.question("C1")).shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run deploy", ["`env` Field required", "env (text, required): where to"]),
        ("run deploy env=prod replicas=many", ["`replicas`", "valid integer", "replicas (whole number, default `2`)"]),
        ("run deploy env=prod replcas=3", ["did you mean replicas?"]),
        ("run deplyo env=prod", ["there is no workflow 'deplyo'", "did you mean deploy?"]),
        ("run deploy env", ["'env' is not key=value"]),
        ("run", ["name the workflow"]),
        ('run deploy env="prod', ["quote is not closed"]),
        ("pendign", ["`pendign` is no command", "did you mean pending?"]),
        ("show", ["name one run"]),
        ("retry", ["retry RUN from=STEP"]),
        ("retry r-nope plan", ["retry RUN from=STEP"]),
        ("retry r-nope from=", ["retry RUN from=STEP"]),
        ("runs completd", ["did you mean completed?"]),
        ("help deplyo", ["there is no workflow 'deplyo'"]),
    ],
)
async def test_a_mistake_is_told_in_private_and_changes_nothing(tmp_path: Path, text: str, said: list[str]) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        ack = await bot.command(text)

        assert ack.is_acked
        assert ack.problem is None
        for part in said:
            assert part in bot.whispered("U1")
        assert not bot.slack.messages("C1")
        assert not await bot.runner.list_runs()


async def test_a_run_that_is_not_there_is_told_in_private(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        for verb in ("show", "cancel", "retry"):
            ack = await bot.command(f"{verb} r-nope")

            assert ack.problem is None
            assert "there is no run `r-nope`; `/spectra runs` lists them" in ack.text


@pytest.mark.parametrize("text", ["", "help", "help deploy"])
async def test_the_bare_command_is_help(tmp_path: Path, text: str) -> None:
    async with a_bot(tmp_path / "s.db", [deploy(), ask()]) as bot:
        ack = await bot.command(text)

        assert ack.problem is None
        assert "`/spectra run deploy env=...`" in bot.whispered("U1")
        assert "Ship a release" in bot.whispered("U1")


async def test_empty_lists_say_so(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        assert "Nothing is waiting for an answer" in (await bot.command("pending")).text
        assert "No runs yet" in (await bot.command("runs")).text
        assert "No failed runs yet" in (await bot.command("runs failed")).text


async def test_lists_show_what_there_is(place: Place) -> None:
    async with a_bot(place, [deploy(), ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        await bot.command("pending")

        pending = bot.whispered("U1")
        link = f"<https://fake.slack.com/archives/C1/p{message.ts.replace('.', '')}|Go to the question>"
        assert link in pending
        assert run_id in pending
        await bot.command("runs interrupted")
        assert f"✋ `{run_id}`" in bot.whispered("U1")
        await bot.command("runs deploy")
        assert "No deploy runs yet" in bot.whispered("U1")
        await bot.command(f"show {run_id}")
        assert "✋ question" in bot.whispered("U1")


async def test_cancel_ends_a_run_and_closes_its_question(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        await bot.command(f"cancel {run_id} not today")

        await bot.slack.wait_for(lambda: "was cancelled" in bot.whispered("U1"))
        assert (await bot.runner.get(run_id)).status is RunStatus.CANCELLED
        await bot.until_closed(message)
        assert not has_buttons(bot.now(message))
        await bot.command(f"cancel {run_id}")
        await bot.slack.wait_for(lambda: "is cancelled" in bot.whispered("U1"))


async def test_log_tells_each_change_once_and_no_change_that_was_refused(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with a_bot(place, [ask()]) as bot:
        await bot.ask("ask")
        await bot.slack.click(await bot.question(), "Reject")
        await bot.command("retry r-nope")
        waiting = await bot.ask("ask")
        await bot.command(f"cancel {waiting}")
        await bot.command("run ask", user="U2")

    started = [entry.__dict__["by"] for entry in caplog.records if entry.message == "run started"]
    assert (len(started), started[-1]) == (3, "slack:T1/U2")
    assert caplog.messages.count("interrupt answered") == 1
    assert caplog.messages.count("run retried") == 0
    assert caplog.messages.count("run cancelled") == 1


async def test_retry_runs_a_failed_run_again(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        await bot.command("run deploy env=prod")
        message = await bot.question()
        await bot.slack.click(message, "Reject")
        run_id = (await bot.runner.list_runs())[0].run_id
        await bot.finished(run_id)

        await bot.command(f"retry {run_id}")

        await bot.slack.wait_for(lambda: "waits for an answer" in bot.whispered("U1"))
        assert len(bot.questions()) == 2


async def test_retry_from_a_step_asks_anew_and_leaves_the_old_message_as_it_was_decided(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        await bot.command("run deploy env=prod")
        first = await bot.question()
        await bot.slack.click(first, "Reject")
        run_id = (await bot.runner.list_runs())[0].run_id
        await bot.finished(run_id)
        await bot.until_closed(first)

        unknown = await bot.command(f"retry {run_id} from=plam", user="U2")
        early = await bot.command(f"retry {run_id} from=apply", user="U2")
        await bot.command(f"retry {run_id} from=plan", user="U2")

        assert "no step 'plam'; its steps: plan, approve, apply" in unknown.text
        assert "it has not started, because approve did not finish" in early.text
        await bot.slack.wait_for(lambda: "waits for an answer" in bot.whispered("U2"))
        second = await bot.question()
        assert second.ts != first.ts
        assert "Reject" in bot.now(first).shown
        assert not has_buttons(bot.now(first))
        await bot.slack.click(second, "Approve")
        done = await bot.finished(run_id)
        assert done.status is RunStatus.COMPLETED
        retried = [checkpoint for checkpoint in await bot.runner.history(run_id) if checkpoint.event == "RunRetried"]
        assert [(one.by, one.detail["from_step"]) for one in retried] == [("slack:T1/U2", "plan")]


async def test_a_command_that_takes_long_is_acked_in_time_and_answered_later(place: Place) -> None:
    go = asyncio.Event()
    workflow = Workflow("slow")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        if ctx.attempt == 1:
            raise RuntimeError("first")
        await go.wait()

    async with a_bot(place, [workflow]) as bot:
        run_id = (await bot.runner.run("slow")).run_id

        ack = await bot.command(f"retry {run_id}")

        assert "Working on it" in ack.text
        go.set()
        await bot.slack.wait_for(lambda: "is done" in bot.whispered("U1"))


async def test_a_run_that_asked_nothing_tells_its_starter_how_it_ended(place: Place) -> None:
    workflow = Workflow("broken")

    @workflow.step
    async def work(_ctx: StepContext) -> None:
        raise RuntimeError("no such host")

    async with a_bot(place, [workflow]) as bot:
        await bot.command("run broken", user="U2")

        await bot.slack.wait_for(lambda: "broken* failed" in bot.whispered("U2"))

        assert "no such host" in bot.whispered("U2")
        assert not bot.slack.messages("C1")


async def test_a_person_of_another_workspace_is_refused(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        ack = await bot.command("run deploy env=prod", user="U2", team="T9")

        assert "another workspace" in ack.text
        assert not await bot.runner.list_runs()


async def test_a_failure_of_ours_is_not_called_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        monkeypatch.setattr(bot.runner, "start", down)

        ack = await bot.command("run deploy env=prod")

        assert "the disk is full" in ack.text
        assert "Started" not in ack.text
