"""A click is judged, stored and acked, and the message shows it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import JsonValue

from handlers.slack.layout import Message
from handlers.slack.messages import Place as MessagePlace
from spectra_bot import InterruptResponse, InterruptStatus, RunStatus, StoreError
from spectra_bot.testing import FakeSlack, Refused, ServerError, Signature
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons, without
from tests.integration.slack.workflows import ask, deploy


async def test_an_approving_click_carries_the_run_to_its_end(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        await bot.command("run deploy env=prod")
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", user="U2")

        assert ack.is_acked
        run_id = (await bot.runner.list_runs())[0].run_id
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        closed = await bot.until_closed(message)
        assert closed.text.startswith("✅ *Approve* by <@U2>")
        (told,) = await bot.slack.wait_for(lambda: bot.slack.thread(message.channel, message.ts))
        assert "is done" in told.text


async def test_a_rejecting_click_ends_the_run_and_its_thread_says_why(place: Place) -> None:
    async with a_bot(place, [deploy()]) as bot:
        await bot.command("run deploy env=prod")
        message = await bot.question()

        await bot.slack.click(message, "Reject", user="U2")

        run_id = (await bot.runner.list_runs())[0].run_id
        assert (await bot.finished(run_id)).status is RunStatus.FAILED
        (told,) = await bot.slack.wait_for(lambda: bot.slack.thread(message.channel, message.ts))
        assert "failed" in told.text
        assert "reject by <@U2>" in told.text


async def test_the_answer_is_stored_before_the_ack(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        request = await bot.pending(run_id)
        held = bot.slack.faults.hold("chat.update")

        ack = await bot.slack.click(message, "Approve", user="U2")

        assert ack.is_acked
        record = await bot.runner.get_interrupt(request.id)
        assert record.response is not None
        assert record.response.responder == "slack:T1/U2"
        held.release()
        await bot.until_closed(message)


async def test_a_late_click_is_told_who_decided_and_when(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        await bot.ask("ask")
        message = await bot.question()
        await bot.slack.click(message, "Approve", user="U1")
        await bot.until_closed(message)

        ack = await bot.slack.click(message, "Reject", user="U2", version=0)

        assert ack.is_acked
        told = await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert "Decided already" in told
        assert "*Approve* by <@U1> · <!date^" in told
        assert not has_buttons(bot.now(message))


async def test_of_two_clicks_at_once_one_wins_and_the_other_is_told(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        await asyncio.gather(
            bot.slack.click(message, "Approve", user="U1"), bot.slack.click(message, "Reject", user="U2")
        )

        winner = (await bot.finished(run_id)).outputs["question"]
        assert isinstance(winner, dict)
        loser = "U2" if winner["by"] == "slack:T1/U1" else "U1"
        assert "Decided already" in await bot.slack.wait_for(lambda: bot.whispered(loser))
        assert not bot.slack.ephemerals("C1", "U1" if loser == "U2" else "U2")


async def test_the_same_click_again_is_told_the_same_outcome(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        await bot.ask("ask")
        message = await bot.question()
        first = await bot.slack.click(message, "Approve", user="U1")
        await bot.until_closed(message)

        again = await bot.slack.redeliver(first)

        assert again.is_acked
        assert "Recorded already: ✅ *Approve* by <@U1>" in await bot.slack.wait_for(lambda: bot.whispered("U1"))


async def test_an_unknown_interrupt_is_said_to_be_unknown_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeSlack() as slack:
        async with a_bot(tmp_path / "one.db", [ask()], slack=slack) as bot:
            await bot.ask("ask")
            message = await bot.question()
        async with a_bot(tmp_path / "two.db", [ask()], slack=slack) as bot:
            ack = await slack.click(message, "Approve")

            assert ack.is_acked
            told = await slack.wait_for(lambda: bot.whispered("U1"))
            assert "not known here" in told
            assert "another bot" in told
            assert "pruned" in told
            assert has_buttons(bot.now(message))
    assert "answer refused: unknown interrupt" in caplog.messages


async def test_an_option_that_is_not_offered_is_refused(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        request = await bot.pending(run_id)
        forged = _with_button(bot, message.channel, "ship", f'{{"interrupt":"{request.id}","option":"ship"}}')

        ack = await bot.slack.click(forged, "Ship")

        assert ack.is_acked
        assert "'ship' is not offered" in await bot.slack.wait_for(lambda: bot.whispered("U1"))
        assert await bot.pending(run_id) == request
    assert "answer refused: invalid" in caplog.messages


@pytest.mark.parametrize("signature", [Signature.FORGED, Signature.STALE, Signature.MISSING])
async def test_a_request_that_slack_did_not_sign_just_now_is_refused(
    tmp_path: Path, signature: Signature, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", signature=signature)

        assert ack.status == 401
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(bot.now(message))
        assert not bot.slack.ephemerals("C1", "U1")
    assert "request refused: bad signature or old timestamp" in caplog.messages
    assert "/response/" not in caplog.text


async def test_a_person_of_another_workspace_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", user="U2", team="T9")

        assert ack.is_acked
        assert "another workspace" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(bot.now(message))
    assert "person of another workspace refused" in caplog.messages


@pytest.mark.parametrize("allow_other_workspaces", [False, True])
async def test_a_click_that_lost_its_workspace_is_refused(
    tmp_path: Path, allow_other_workspaces: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_bot(tmp_path / "s.db", [ask()], allow_other_workspaces=allow_other_workspaces) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        unheard = await bot.slack.click(message, "Approve", user="U2", team="T9", signature=Signature.FORGED)
        lost = without(unheard, "user", "team_id")

        ack = await bot.slack.redeliver(lost)

        assert ack.is_acked
        assert "did not say of which workspace" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(bot.now(message))
    assert "person without a workspace refused" in caplog.messages


async def test_a_setting_lets_people_of_other_workspaces_decide(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()], allow_other_workspaces=True) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        await bot.slack.click(message, "Approve", user="U2", team="T9")

        output = (await bot.finished(run_id)).outputs["question"]
        assert isinstance(output, dict)
        assert output["by"] == "slack:T9/U2"


async def test_somebody_who_may_not_decide_is_told_who_may(place: Place) -> None:
    async with a_bot(place, [ask(approvers=("U7", "U8"))]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", user="U2")

        assert ack.is_acked
        assert "Who may: <@U7>, <@U8>." in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert (await bot.runner.get(run_id)).status is RunStatus.INTERRUPTED
        assert has_buttons(bot.now(message))


async def test_a_click_on_a_cancelled_run_says_so(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        await bot.runner.cancel(run_id, by="cli:alice")
        await bot.until_closed(message)

        await bot.slack.click(message, "Approve", version=0)

        assert "Too late" in await bot.slack.wait_for(lambda: bot.whispered("U1"))
        assert "No longer needed" in bot.now(message).text


async def test_an_answer_from_elsewhere_closes_the_message(place: Place) -> None:
    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        given = InterruptResponse(status=InterruptStatus.APPROVED, responder="cli:alice", notes="looks good")

        await bot.runner.resume(run_id, given)

        closed = await bot.until_closed(message)
        assert "alice (command line)" in closed.text
        assert "looks good" in closed.text


async def test_a_store_that_fails_is_never_said_to_have_recorded(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def down(*_: object) -> None:
        raise StoreError("disk is full")

    async with a_bot(place, [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        monkeypatch.setattr(bot.runner, "answer", down)

        ack = await bot.slack.click(message, "Approve")

        assert ack.is_acked
        assert "Not recorded" in bot.whispered("U1")
        assert has_buttons(bot.now(message))
        monkeypatch.undo()
        await bot.slack.click(message, "Approve")
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
    assert "click not recorded" in caplog.messages


async def test_a_click_that_nobody_could_be_told_about_is_not_acked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise StoreError("disk is full")

    async with a_bot(place, [ask()]) as bot:
        await bot.ask("ask")
        message = await bot.question()
        monkeypatch.setattr(bot.runner, "answer", down)
        for method in ("response_url", "chat.postEphemeral"):
            bot.slack.faults.add(method, Refused("fatal_error"), times=None)

        ack = await bot.slack.click(message, "Approve")

        assert not ack.is_acked


async def test_an_answered_click_is_acked_although_slack_takes_no_update(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        run_id = await bot.ask("ask")
        message = await bot.question()
        bot.slack.faults.add("chat.update", ServerError(), times=3)

        ack = await bot.slack.click(message, "Approve")

        assert ack.is_acked
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        await bot.until_closed(message)


async def test_a_settled_message_never_goes_back_to_an_earlier_form(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask()]) as bot:
        await bot.ask("ask")
        message = await bot.question()
        await bot.slack.click(message, "Approve")
        closed = await bot.until_closed(message)
        where = MessagePlace(channel=message.channel, ts=message.ts)

        await bot.handler.messages.change(where, lambda _: Message(text="working"), is_final=False)

        assert bot.now(message).text == closed.text


async def test_a_person_is_told_without_the_response_url(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [ask(approvers=("U7",))]) as bot:
        await bot.ask("ask")
        message = await bot.question()
        bot.slack.faults.add("response_url", Refused("expired_url"), times=None)

        await bot.slack.click(message, "Approve", user="U2")

        assert "You may not decide" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        assert bot.slack.calls("chat.postEphemeral")


def _with_button(bot: Bot, channel: str, word: str, value: str) -> tuple[str, str]:
    """A message of the app with a button that the bot never made."""
    button: JsonValue = {
        "type": "button",
        "action_id": f"spectra:option:{word}",
        "text": {"type": "plain_text", "text": word.capitalize()},
        "value": value,
    }
    message = bot.slack.workspace.post(
        channel=channel, text="forged", blocks=[{"type": "actions", "elements": [button]}]
    )
    return message.channel, message.ts
