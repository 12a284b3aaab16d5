"""An option with a form opens a modal, and what is filled in is the answer's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from spectra_bot import InterruptResponse, InterruptStatus, RunStatus, StoreError
from spectra_bot.testing import OpenView, Refused, Signature
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons, without
from tests.integration.slack.workflows import ask, with_form


async def open_form(bot: Bot, label: str = "Change…", user: str = "U2") -> OpenView:
    """Press the button of a form and see the modal."""
    await bot.slack.click(await bot.question(), label, user=user)
    return await bot.modal(user)


def output(result: Any) -> dict[str, JsonValue]:
    """What the asking step put out."""
    (found,) = result.outputs.values()
    assert isinstance(found, dict)
    return found


async def test_a_filled_form_is_the_answer(place: Place) -> None:
    async with a_bot(place, [with_form()]) as bot:
        run_id = await bot.ask("formed")
        message = await bot.question()
        view = await open_form(bot)

        ack = await bot.slack.submit(
            view,
            {"field:0": "too many", "field:1": "1", "field:3": "Yes", "field:4": "a.txt\nb.txt", "field:5": "large"},
        )

        assert ack.is_acked
        assert ack.problem is None
        assert not bot.slack.views
        answered = output(await bot.finished(run_id))
        assert answered["option"] == "change"
        assert answered["by"] == "slack:T1/U2"
        assert answered["data"] == {
            "why": "too many",
            "replicas": 1,
            "share": 0.5,
            "urgent": True,
            "leave_out": ["a.txt", "b.txt"],
            "size": "large",
        }
        closed = await bot.until_closed(message)
        assert "*Change* by <@U2>" in closed.text
        assert "too many" in closed.shown


async def test_a_form_that_lost_its_workspace_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_bot(tmp_path / "s.db", [ask(options=("approve", "modify"))]) as bot:
        run_id = await bot.ask("ask")
        view = await open_form(bot, "Modify…")
        unheard = await bot.slack.submit(view, {"field:0": "smaller"}, signature=Signature.FORGED)

        ack = await bot.slack.redeliver(without(unheard, "user", "team_id"))

        assert ack.is_acked
        assert "did not say of which workspace" in (await bot.modal("U2")).shown
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
    assert "person without a workspace refused" in caplog.messages


async def test_a_modify_option_asks_in_words(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask(options=("approve", "modify"))]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        view = await open_form(bot, "Modify…")

        await bot.slack.submit(view, {"field:0": "two are enough"})

        answered = output(await bot.finished(run_id))
        assert answered["notes"] == "two are enough"
        closed = await bot.until_closed(message)
        assert "Note: two are enough" in closed.text


async def test_the_models_errors_come_back_under_the_fields(place: Place) -> None:
    async with a_bot(place, [with_form()]) as bot:
        run_id = await bot.ask("formed")
        view = await open_form(bot)

        ack = await bot.slack.submit(view, {"field:0": "because", "field:1": "12"})

        assert ack.problem is None
        assert ack.errors["field:0"] == "say more than because"
        assert "less than or equal to 9" in ack.errors["field:1"]
        assert bot.slack.views
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED


async def test_a_form_that_was_overtaken_says_who_decided(place: Place) -> None:
    async with a_bot(place, [with_form()]) as bot:
        run_id = await bot.ask("formed")
        view = await open_form(bot)
        await bot.runner.resume(run_id, InterruptResponse(status=InterruptStatus.APPROVED, responder="slack:T1/U1"))

        ack = await bot.slack.submit(view, {"field:0": "too late"})

        assert ack.problem is None
        (shown,) = bot.slack.views["U2"]
        assert "Decided already" in shown.shown
        assert "*Approve* by <@U1>" in shown.shown


async def test_the_same_form_again_is_the_same_answer(place: Place) -> None:
    async with a_bot(place, [with_form()]) as bot:
        run_id = await bot.ask("formed")
        view = await open_form(bot)
        first = await bot.slack.submit(view, {"field:0": "too many"})
        await bot.finished(run_id)

        again = await bot.slack.redeliver(first)

        assert again.is_acked
        assert again.body is None


async def test_an_outsider_is_told_before_a_form_opens(place: Place) -> None:
    async with a_bot(place, [ask(options=("approve", "modify"), approvers=("U7",))]) as bot:
        await bot.ask("ask")
        message = await bot.question()

        await bot.slack.click(message, "Modify…", user="U2")

        assert "Who may: <@U7>." in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert not bot.slack.views


async def test_a_late_click_on_a_form_is_told_and_opens_none(place: Place) -> None:
    async with a_bot(place, [with_form()]) as bot:
        await bot.ask("formed")
        message = await bot.question()
        await bot.slack.click(message, "Approve", user="U1")
        await bot.until_closed(message)

        await bot.slack.click(message, "Change…", user="U2", version=0)

        assert "*Approve* by <@U1>" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert not bot.slack.views


async def test_a_form_of_another_workspaces_person_is_refused(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [with_form()]) as bot:
        run_id = await bot.ask("formed")
        view = await open_form(bot)

        await bot.slack.submit(view, {"field:0": "let me in"}, team="T9")

        assert "another workspace" in bot.slack.views["U2"][-1].shown
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED


async def test_a_form_that_does_not_open_is_told(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [with_form()]) as bot:
        await bot.ask("formed")
        message = await bot.question()
        bot.slack.faults.add("views.open", Refused("expired_trigger_id"))

        ack = await bot.slack.click(message, "Change…", user="U2")

        assert ack.is_acked
        assert "did not open" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert has_buttons(bot.now(message))


async def test_a_store_that_fails_leaves_the_form_open_with_what_was_typed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise StoreError("disk is full")

    async with a_bot(place, [with_form()]) as bot:
        await bot.ask("formed")
        view = await open_form(bot)
        monkeypatch.setattr(bot.runner, "answer", down)

        ack = await bot.slack.submit(view, {"field:0": "keep this"})

        assert ack.problem is None
        assert "Not recorded" in ack.errors["field:0"]
        assert bot.slack.views
