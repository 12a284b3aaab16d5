"""A click is judged, stored and acked, and the message shows it."""

from __future__ import annotations

from pathlib import Path

from spectra_bot import RunStatus
from tests.integration.slack.bot import a_bot
from tests.integration.slack.workflows import deploy


async def test_an_approving_click_carries_the_run_to_its_end(tmp_path: Path) -> None:
    async with a_bot(tmp_path / "s.db", [deploy()]) as bot:
        await bot.command("run deploy env=prod")
        message = await bot.question()

        ack = await bot.slack.click(message, "Approve", user="U2")

        assert ack.is_acked
        run_id = (await bot.runner.list_runs())[0].run_id
        assert (await bot.finished(run_id)).status is RunStatus.COMPLETED
        closed = await bot.until_closed(message)
        assert "Approve" in closed.text
        assert "<@U2>" in closed.text
        (told,) = await bot.slack.wait_for(lambda: bot.slack.thread(message.channel, message.ts))
        assert "is done" in told.text
