"""The people of the workspace: they start runs and press buttons while the processes die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from spectra_bot.testing import FakeSlack, Message
from tests.chaos.killing.bots import Bot

CHANNEL = "C1"
MOST_OPEN = 60
"""With so many open questions no further run is started."""
SELDOM_S = 0.06
_CLOSED_OFTEN = 0.1
_MOST_UNDER_WAY = 200


@dataclass(slots=True, kw_only=True)
class Click:
    """One button, pressed by a person who presses no other."""

    interrupt_id: str
    option: str
    user: str
    sent_at: float
    acked_at: float | None = None
    """None where Slack would have shown the warning sign."""
    again: int = 0
    """How often the same person pressed it once more."""
    under_way: list[str] = field(default_factory=list)
    """Where it is just now: the addresses of the bots that have it and have not answered."""


class Crowd:
    """Clicks at random while the block lasts, and commands when it is told to, each noted with what came of it.

    Args:
        seldom_s: at most so long until the next click.
    """

    def __init__(
        self, slack: FakeSlack, bots: Sequence[Bot], chance: random.Random, *, seldom_s: float = SELDOM_S
    ) -> None:
        self.clicks: list[Click] = []
        self.started: list[str] = []
        """Runs that someone was told are started."""
        self._slack = slack
        self._bots = bots
        self._chance = chance
        self._seldom_s = seldom_s
        self._users = 0
        self._at_it: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._clicking = asyncio.create_task(self._click_on())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._clicking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._clicking
        await self.settle()

    def open_messages(self) -> list[Message]:
        """The messages that still have buttons."""
        return [message for message in self._slack.messages(CHANNEL) if _buttons(message.blocks)]

    def under_way(self, url: str) -> int:
        """How many clicks a bot has now and has not answered."""
        return sum(click.under_way.count(url) for click in self.clicks[-_MOST_UNDER_WAY:])

    def start_runs(self, count: int) -> None:
        """Type the command that starts a run so often, unless enough is open."""
        if len(self.open_messages()) < MOST_OPEN:
            for _ in range(count):
                self._go(self._start_run())

    async def close_all(self) -> None:
        """Press `approve` on every message that still has a button."""
        for message in self.open_messages():
            self._press(message, "approve")
        await self.settle()

    async def settle(self) -> None:
        """Wait for the answers to what was sent; raises what went wrong here, and not in the bots."""
        await asyncio.gather(*self._at_it)

    async def _click_on(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0, self._seldom_s))
            self._press_something()

    def _press_something(self) -> None:
        chance = self._chance
        messages = [message for message in self._slack.messages(CHANNEL) if _buttons(message.versions[0].blocks)]
        is_late = chance.random() < _CLOSED_OFTEN
        fitting = [message for message in messages if bool(_buttons(message.blocks)) is not is_late]
        if not fitting:
            return
        message = chance.choice(fitting)
        options = [str(button["action_id"]).rpartition(":")[2] for button in _buttons(message.versions[0].blocks)]
        likely = [8.0, *(1.0 for _ in options[1:])]
        what = chance.choices(("one", "same person twice", "two people"), (6, 2, 2))[0]
        for _ in range(2 if what == "two people" else 1):
            option = chance.choices(options, likely)[0]
            self._press(message, option, again=int(what == "same person twice"))

    def _press(self, message: Message, option: str, *, again: int = 0) -> None:
        """Press a button as it was posted: a picture of it may still be on someone's screen."""
        assert message.versions[0].metadata is not None, "every question has metadata"
        payload: Any = message.versions[0].metadata["event_payload"]
        self._users += 1
        click = Click(
            interrupt_id=payload["interrupt_id"],
            option=option,
            user=f"U{1000 + self._users}",
            sent_at=time.time(),
            again=again,
        )
        self.clicks.append(click)
        for _ in range(1 + again):
            self._go(self._pressed(click, message))

    async def _pressed(self, click: Click, message: Message) -> None:
        url = self._choose_bot()
        click.under_way.append(url)
        ack = await self._slack.click(message, f"spectra:option:{click.option}", user=click.user, version=0)
        click.under_way.remove(url)
        if ack.is_acked and click.acked_at is None:
            click.acked_at = time.time()

    async def _start_run(self) -> None:
        self._choose_bot()
        ack = await self._slack.command("/spectra", "run release", channel=CHANNEL)
        if ack.is_acked and (found := re.search(r"\br-\w+", json.dumps(ack.body))):
            self.started.append(found[0])

    def _choose_bot(self) -> str:
        """Over HTTP: whose turn it is. Nothing may be awaited between this and the sending."""
        urls = [bot.url for bot in self._bots if bot.is_up] or ["http://127.0.0.1:9/slack/events"]
        url = self._slack.app_url = self._chance.choice(urls)
        return url

    def _go(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._at_it.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._at_it.discard(task)


def _buttons(blocks: Sequence[Any]) -> list[Any]:
    return [
        element
        for block in blocks
        if block.get("type") == "actions"
        for element in block["elements"]
        if str(element.get("action_id")).startswith("spectra:option:")
    ]
