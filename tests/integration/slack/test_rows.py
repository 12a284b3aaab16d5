"""Several questions of one step in one message: each row is decided by itself, and no row is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import JsonValue
from pydantic_ai import RunContext

from spectra_bot import InterruptRequest, RunStatus, StepContext, Workflow
from spectra_bot.testing import (
    MANIFEST_SCOPES,
    Ack,
    FakeSlack,
    Message,
    MessageVersion,
    RateLimited,
    Refused,
    ServerError,
)
from tests.conformance.agents import Script, agent_of, call, workflow_of
from tests.engines import Place
from tests.integration.slack.bot import Bot, a_bot, has_buttons

pytestmark = pytest.mark.usefixtures("quick_outbox")

READING = MANIFEST_SCOPES | {"channels:history"}


def asking(*reasons: str, name: str = "asking") -> Workflow:
    """A workflow whose one step asks all of it at once, and puts out what was decided."""
    workflow = Workflow(name)

    @workflow.step
    async def work(ctx: StepContext) -> list[str | None]:
        asked = [ctx.interrupt(InterruptRequest(reason=reason, group="calls"), key=reason) for reason in reasons]
        return [answer.option for answer in await asyncio.gather(*asked)]

    return workflow


@asynccontextmanager
async def asked(place: Place, *reasons: str, slack: FakeSlack | None = None) -> AsyncIterator[tuple[Bot, str, Message]]:
    """A bot, its run, and the message in which it asks."""
    async with a_bot(place, [asking(*reasons)], slack=slack) as bot:
        run_id = await bot.ask("asking")
        yield bot, run_id, await bot.question()


Found = tuple[Bot, str]
"""A bot, and where Slack finds it."""


@asynccontextmanager
async def two_bots(place: Place, *reasons: str) -> AsyncIterator[tuple[FakeSlack, Found, Found]]:
    """Two processes on one file, where the first carries out what is started there, or one task queue."""
    workflows = [asking(*reasons)]
    async with FakeSlack() as slack, a_bot(place, workflows, slack=slack) as one:
        one_url = slack.app_url
        async with a_bot(place, workflows, slack=slack) as other:
            yield slack, (one, one_url), (other, slack.app_url)


async def press(bot: Bot, message: Message, row: str, option: str, *, user: str = "U1", version: int = -1) -> Ack:
    """Press a button of a row, given its reason or its interrupt's id, as it stands or stood in some version."""
    [wanted] = [one.id for one in await asked_by(bot) if row in (one.reason, one.id)]
    seen = bot.now(message).versions[version]
    [value] = [
        value
        for block in seen.blocks
        if block["type"] == "actions"
        for value in values_in(block)
        if (json.loads(value)["interrupt"], json.loads(value)["option"]) == (wanted, option)
    ]
    return await bot.slack.click(message, value, user=user, version=version)


def values_in(block: Mapping[str, JsonValue]) -> list[str]:
    elements = block["elements"]
    assert isinstance(elements, list)
    return [str(element["value"]) for element in elements if isinstance(element, dict)]


async def asked_by(bot: Bot) -> list[InterruptRequest]:
    """All that was ever asked."""
    runs = [await bot.runner.get(run.run_id) for run in await bot.runner.list_runs()]
    return [one.request for run in runs for one in run.interrupts]


def rows(message: Message) -> list[str]:
    """The rows of a message from its text, which is read aloud."""
    return [line.removeprefix("•  ") for line in message.text.splitlines() if line.startswith("•  ")]


def buttons_in(message: Message | MessageVersion) -> int:
    """How many rows can be decided."""
    return sum(block["type"] == "actions" for block in message.blocks)


async def settled(bot: Bot, run_id: str, count: int) -> None:
    """Return when so many questions of a run are settled."""
    async with asyncio.timeout(20):
        while True:
            interrupts = (await bot.runner.get(run_id)).interrupts
            if sum(one.deliveries[0].settled_at is not None for one in interrupts if one.deliveries) >= count:
                return
            await asyncio.sleep(0.01)


async def test_questions_asked_together_stand_in_one_message(place: Place) -> None:
    async with asked(place, "A?", "B?", "C?") as (bot, run_id, message):
        assert len(bot.slack.messages("C1")) == 1
        assert buttons_in(message) == 3
        assert message.text.splitlines()[0].startswith("3 decisions are needed")
        receipts = [one.deliveries[0].receipt for one in (await bot.runner.get(run_id)).interrupts]
        ids = [one.request.id for one in (await bot.runner.get(run_id)).interrupts]
        assert receipts == [{"channel": "C1", "ts": message.ts, "rows": ids}] * 3


async def test_decided_row_says_who_and_what_while_the_others_keep_their_buttons(place: Place) -> None:
    async with asked(place, "A?", "B?", "C?") as (bot, run_id, message):
        await press(bot, message, "B?", "reject", user="U2")

        await settled(bot, run_id, 1)
        now = bot.now(message)
        assert buttons_in(now) == 2
        assert rows(now)[1].startswith("B?: ⛔ *Reject* by <@U2>")
        assert rows(now)[0] == "A?: Approve, Reject"
        assert now.text.startswith("2 of 3 decisions are still needed")


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")), ids="".join)
async def test_agents_calls_are_decided_in_any_order(place: Place, order: Sequence[str]) -> None:
    done: list[str] = []

    async def delete(ctx: RunContext[StepContext], path: str) -> str:
        done.append(path)
        return f"deleted {path}"

    script = Script([call("delete", letter, path=f"/{letter}") for letter in "ABC"], "over")
    options = {"A": "approve", "B": "reject", "C": "edit"}
    async with a_bot(place, [workflow_of(agent_of(script, delete, guarded=["delete"]))]) as bot:
        run_id = await bot.ask("agent")
        message = await bot.question()
        ids = dict(zip("ABC", [request.id for request in await asked_by(bot)], strict=True))

        for number, letter in enumerate(order):
            await press(bot, message, ids[letter], options[letter])
            if letter != "A":
                typed = "still in use" if letter == "B" else '{"path": "/edited"}'
                await bot.slack.submit(await bot.modal(), {"field:0": typed})
            await settled(bot, run_id, number + 1)
        again = (await bot.slack.wait_for(lambda: bot.questions()[1:]))[0]
        await bot.slack.click(again, "Approve")

        result = await bot.finished(run_id)
        assert result.status is RunStatus.COMPLETED
        assert sorted(done) == ["/A", "/edited"]
        assert script.told["B"] == "slack:T1/U1 rejected this call: still in use"
        assert buttons_in(bot.now(message)) == 0
        decided = [row.split(" by ")[0].split(": ")[1] for row in rows(bot.now(message))]
        assert decided == ["✅ *Approve*", "⛔ *Reject*", "💬 *Edit*"]
        assert "- path: /C\n+ path: /edited" in again.shown


async def test_edited_call_that_can_not_be_used_stays_to_be_corrected(place: Place) -> None:
    async def delete(ctx: RunContext[StepContext], path: str) -> str:
        return f"deleted {path}"

    script = Script([call("delete", "a", path="/a")], "over")
    async with a_bot(place, [workflow_of(agent_of(script, delete, guarded=["delete"]))]) as bot:
        await bot.ask("agent")
        await bot.slack.click(await bot.question(), "Edit…")
        view = await bot.modal()

        refused = await bot.slack.submit(view, {"field:0": '{"path": "/edited",}'})
        await bot.slack.submit(view, {"field:0": '{"path": 7}'})
        again = (await bot.slack.wait_for(lambda: bot.questions()[1:]))[0]
        await bot.slack.click(again, "Edit…")
        offered = json.dumps((await bot.modal()).view)

        assert "no JSON: trailing comma" in refused.errors["field:0"]
        assert "path: Input should be a valid string" in again.shown
        assert json.dumps('{\n  "path": 7\n}') in offered


async def test_second_click_on_a_decided_row_is_told_who_decided_and_changes_no_row(place: Place) -> None:
    async with asked(place, "A?", "B?") as (bot, run_id, message):
        await press(bot, message, "A?", "approve", user="U1")
        await settled(bot, run_id, 1)

        await press(bot, message, "A?", "reject", user="U2", version=0)

        assert "Decided already" in await bot.slack.wait_for(lambda: bot.whispered("U2"))
        await bot.slack.wait_for(lambda: len(bot.slack.calls("chat.update")) >= 3)
        assert [buttons_in(bot.now(message)), rows(bot.now(message))[1]] == [1, "B?: Approve, Reject"]


async def test_rows_that_do_not_fit_stand_in_a_further_message(place: Place) -> None:
    reasons = [f"Question {number}?" for number in range(11)]
    async with asked(place, *reasons) as (bot, run_id, _):
        await bot.slack.wait_for(lambda: len(bot.questions()) == 2)
        first, second = bot.questions()
        assert buttons_in(first) + buttons_in(second) == 11

        for reason in reasons:
            where = first if reason in first.text else second
            await press(bot, where, reason, "approve")

        assert (await bot.finished(run_id)).outputs == {"work": ["approve"] * 11}
        await settled(bot, run_id, 11)
        assert [buttons_in(bot.now(first)), buttons_in(bot.now(second))] == [0, 0]


async def test_message_is_deleted_while_a_row_is_decided(place: Place) -> None:
    async with asked(place, "A?", "B?", "C?") as (bot, run_id, message):
        held = bot.slack.faults.hold("chat.update")
        clicking = asyncio.create_task(press(bot, message, "A?", "approve"))
        await held.arrived.wait()

        bot.slack.remove(message)
        held.release()
        await clicking

        await bot.slack.wait_for(lambda: len(bot.questions()) == 2)
        for again in bot.questions():
            assert "the earlier message was removed" in again.text
            await bot.slack.click(again, "Reject" if "B?" in again.text else "Approve")
        assert (await bot.finished(run_id)).outputs == {"work": ["approve", "reject", "approve"]}


async def test_click_on_the_picture_of_a_deleted_message_counts(place: Place) -> None:
    async with asked(place, "A?", "B?") as (bot, _, message):
        bot.slack.remove(message)
        await bot.slack.wait_for(lambda: len(bot.questions()) == 2)

        await press(bot, message, "A?", "approve", version=0)

        first, second = sorted(bot.questions(), key=lambda again: "A?" not in again.text)
        assert "*Approve* by <@U1>" in (await bot.until_closed(first)).text
        assert has_buttons(bot.now(second))


async def test_earlier_picture_of_another_process_does_not_stay(tmp_path: Path) -> None:
    """One process draws a row as it was, late, over what another has drawn since."""
    async with two_bots(tmp_path / "s.db", "A?", "B?", "C?") as (slack, (owner, owner_url), (other, other_url)):
        run_id = await owner.ask("asking")
        message = await owner.question()
        held = slack.faults.hold("chat.update")
        slack.app_url = other_url
        late = asyncio.create_task(press(other, message, "A?", "approve"))  # its picture: A decided, B and C open
        await held.arrived.wait()
        slack.app_url = owner_url
        await press(owner, message, "B?", "reject", user="U2")
        await settled(owner, run_id, 2)
        await slack.wait_for(lambda: len(slack.calls("chat.update")) >= 3)  # for the click, and to settle both
        drawn = len(owner.now(message).versions)

        held.release()
        await late

        # With B decided and settled, only the late picture can still show two rows to decide.
        await slack.wait_for(lambda: any(buttons_in(one) == 2 for one in owner.now(message).versions[drawn:]))
        await slack.wait_for(lambda: buttons_in(owner.now(message)) == 1)
        assert rows(owner.now(message))[0].startswith("A?: ✅ *Approve* by <@U1>")
        assert rows(owner.now(message))[1].startswith("B?: ⛔ *Reject* by <@U2>")


async def test_clicks_on_all_rows_at_once_in_two_processes_lose_no_row(place: Place) -> None:
    reasons = [f"{letter}?" for letter in "ABCDEF"]
    async with two_bots(place, *reasons) as (slack, (owner, owner_url), (_, other_url)):
        run_id = await owner.ask("asking")
        message = await owner.question()

        async def decide(reasons: Sequence[str]) -> None:
            await asyncio.gather(*(press(owner, message, reason, "approve", version=0) for reason in reasons))

        slack.app_url = owner_url
        here = asyncio.create_task(decide(reasons[::2]))
        await slack.wait_for(lambda: slack.calls("chat.update"))
        slack.app_url = other_url
        await asyncio.gather(here, decide(reasons[1::2]))

        result = await owner.finished(run_id)
        await settled(owner, run_id, 6)
        await slack.wait_for(lambda: buttons_in(owner.now(message)) == 0)
        assert result.outputs == {"work": ["approve"] * 6}
        assert all("*Approve* by <@U1>" in row for row in rows(owner.now(message)))


async def test_answer_from_elsewhere_while_the_message_is_posted_is_shown(place: Place) -> None:
    async with a_bot(place, [asking("A?", "B?")]) as bot:
        held = bot.slack.faults.hold("chat.postMessage", after_work=True)
        run_id = await bot.runner.start("asking", channel="C1")
        await held.arrived.wait()
        first, _ = await bot.runner.list_pending(run_id=run_id)

        await bot.runner.answer(first.id, first.answer("approve", responder="cli:ana"))
        held.release()

        await settled(bot, run_id, 1)
        [message] = bot.questions()
        assert rows(message)[0].startswith("A?: ✅ *Approve* by ana (command line)")
        assert buttons_in(message) == 1


async def test_all_answered_while_the_message_is_posted_closes_it(place: Place) -> None:
    async with a_bot(place, [asking("A?", "B?")]) as bot:
        held = bot.slack.faults.hold("chat.postMessage", after_work=True)
        run_id = await bot.runner.start("asking", channel="C1")
        await held.arrived.wait()

        for request in await bot.runner.list_pending(run_id=run_id):
            await bot.runner.answer(request.id, request.answer("approve"))
        held.release()

        await settled(bot, run_id, 2)
        [message] = bot.questions()
        assert buttons_in(message) == 0


@pytest.mark.parametrize("may_look", [False, True])
async def test_copy_of_the_message_shows_each_row_as_it_is(place: Place, may_look: bool) -> None:
    async with (
        FakeSlack(scopes=READING if may_look else MANIFEST_SCOPES) as slack,
        a_bot(place, [asking("A?", "B?")], slack=slack) as bot,
    ):
        slack.faults.add("chat.postMessage", ServerError(after_work=True))
        run_id = await bot.ask("asking")
        await slack.wait_for(lambda: len(bot.questions()) == (1 if may_look else 2))
        await slack.wait_for(lambda: not may_look or slack.calls("chat.update"))
        known = bot.questions()[-1]

        await press(bot, known, "A?", "approve")
        await settled(bot, run_id, 1)
        await press(bot, bot.questions()[0], "B?", "reject", user="U2")

        await bot.finished(run_id)
        for message in bot.questions():
            await bot.until_closed(message)
            assert [row.split(" by ")[0] for row in rows(bot.now(message))] == ["A?: ✅ *Approve*", "B?: ⛔ *Reject*"]


async def test_group_waits_for_slack_as_one(place: Place) -> None:
    async with a_bot(place, [asking("A?", "B?", "C?")]) as bot:
        bot.slack.faults.add("chat.postMessage", RateLimited(retry_after=0), times=2)
        bot.slack.faults.add("chat.postMessage", Refused("internal_error"), times=2)

        await bot.ask("asking")

        await bot.question()
        assert len(bot.questions()) == 1


async def test_questions_for_two_channels_stand_in_two_messages(place: Place) -> None:
    workflow = Workflow("asking")

    @workflow.step
    async def work(ctx: StepContext) -> None:
        await asyncio.gather(
            *(
                ctx.interrupt(InterruptRequest(reason=f"{number}?", group="g", channel=channel), key=str(number))
                for number, channel in enumerate(("C1", "U2", "C1", "U2"))
            )
        )

    async with a_bot(place, [workflow]) as bot:
        await bot.ask("asking")

        await bot.slack.wait_for(lambda: sum("decisions" in str(call.arguments) for call in bot.slack.calls()) == 2)
        assert [row.split(":")[0] for row in rows(bot.slack.messages("C1")[0])] == ["0?", "2?"]


async def test_rows_of_a_cancelled_run_say_who_cancelled_it(place: Place) -> None:
    async with asked(place, "A?", "B?") as (bot, run_id, message):
        await press(bot, message, "A?", "approve")

        await bot.runner.cancel(run_id, by="slack:T1/U2", reason="not today")

        await settled(bot, run_id, 2)
        now = bot.now(message)
        assert buttons_in(now) == 0
        assert rows(now)[0].startswith("A?: ✅ *Approve* by <@U1>")
        assert rows(now)[1].startswith("B?: 🚫 *No longer needed*")
        assert "not today" in now.shown
