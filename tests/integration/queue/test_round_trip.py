"""Questions out, answers in, and what becomes of answers that are none."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.queue import open_queue, serve_queue
from spectra_bot import InterruptRequest, InterruptStatus, RunStatus, StoreError, WorkflowRunner
from tests.integration.queue.bot import a_bot, asking
from tests.redis_server import Peer, RedisServer

TIMEOUT_S = 20


async def ask(runner: WorkflowRunner, **inputs: Any) -> InterruptRequest:
    """Start a run and return its question."""
    (request,) = (await runner.run("asking", inputs)).pending
    return request


async def output(runner: WorkflowRunner, request: InterruptRequest) -> Any:
    """What the run ended with."""
    result = await asyncio.wait_for(runner.wait(request.run_id, over=True), TIMEOUT_S)
    assert result.status is RunStatus.COMPLETED
    return result.outputs["ask"]


async def test_question_goes_out_and_its_answer_ends_the_run(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db", asking(data={"plan": ["a", "b"]})) as runner:
        request = await ask(runner)
        published = await peer.request(request.id)
        await peer.answer(request.id, "size", data={"replicas": 3}, notes="looks good")

        assert await output(runner, request) == {
            "option": "size",
            "data": {"replicas": 3},
            "by": "queue:spectra:answers",
            "notes": "looks good",
        }
        ended = await peer.end(request.id)
    assert (published["reason"], published["data"]) == ("Ship it?", {"plan": ["a", "b"]})
    assert [option["id"] for option in published["options"]] == ["approve", "reject", "size"]
    assert (ended["status"], ended["option"], ended["responder"], ended["request_entry"]) == (
        "answered",
        "size",
        "queue:spectra:answers",
        published["id"],
    )
    await peer.until_taken()
    assert await peer.set_aside() == []


async def test_text_of_any_kind_arrives_as_it_is(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    text = "<b>&amp;\x1b[2J\x00\u202e\r\n\U0001f680"
    async with a_bot(redis, tmp_path / "s.db", asking(reason=text, data={text: text})) as runner:
        request = await ask(runner)
        published = await peer.request(request.id)
        await peer.answer(request.id, notes=text)

        assert (await output(runner, request))["notes"] == text
        ended = await peer.end(request.id)
    assert (published["reason"], published["data"], ended["notes"]) == (text, {text: text}, text)


async def test_secrets_do_not_go_out(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    workflow = asking(reason="Use xoxb-1234567890-abc?", data={"password": "hunter2"})
    async with a_bot(redis, tmp_path / "s.db", workflow) as runner:
        published = await peer.request((await ask(runner)).id)

    assert "hunter2" not in json.dumps(published)
    assert "xoxb" not in published["reason"]


async def test_answer_that_is_delivered_twice_counts_once(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        request = await ask(runner)
        for _ in range(3):
            await peer.answer(request.id, "approve", notes="once")

        await output(runner, request)
        await peer.until_taken()
        history = [entry.event for entry in await runner.history(request.run_id)]

    assert history.count("InterruptAnswered") == 1
    assert await peer.set_aside() == []


async def test_late_answer_is_told_who_decided(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        request = await ask(runner)
        decided = await runner.answer(request.id, request.answer("approve", responder="slack:T1/U1"))

        refused = await peer.refused(await peer.answer(request.id, "reject"))

    assert refused["refusal"] == "already_answered"
    assert "answered 'approve' by slack:T1/U1" in refused["reason"]
    assert decided.responded_at is not None
    assert refused["decided"] == {
        "option": "approve",
        "responder": "slack:T1/U1",
        "responded_at": decided.responded_at.isoformat().replace("+00:00", "Z"),
    }


async def test_answer_past_the_deadline_is_told_that_nobody_decided(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    async with a_bot(redis, tmp_path / "s.db", asking(timeout=timedelta(milliseconds=1))) as runner:
        run_id = (await runner.run("asking")).run_id
        await asyncio.wait_for(runner.wait(run_id, over=True), TIMEOUT_S)
        (record,) = (await runner.get(run_id)).interrupts

        refused = await peer.refused(await peer.answer(record.request.id))

    assert (refused["refusal"], refused["decided"]) == ("over", None)
    assert "nobody decided" in refused["reason"]


POISON: dict[str, tuple[bytes, str, str]] = {
    "no json": (b"approve", "not_json", "Invalid JSON"),
    "no text": (b'{"interrupt_id": "\xff\xfe"}', "not_json", "Invalid JSON"),
    "half a pair": (b'{"interrupt_id": "ID", "option": "\\ud800"}', "not_json", "Invalid JSON"),
    "too deep": (b'{"interrupt_id": "ID", "option": "approve", "data": ' + b'{"a":' * 5000, "not_json", "Invalid JSON"),
    "cut off": (b'{"interrupt_id": "ID"', "not_json", "Invalid JSON"),
    "empty": (b"", "bad_fields", "'body' is missing or empty"),
    "no object": (b"[]", "bad_fields", "body: Input should be an object"),
    "no option": (b'{"interrupt_id": "ID"}', "bad_fields", "option: Field required"),
    "no id": (b'{"option": "approve"}', "bad_fields", "interrupt_id: Field required"),
    "wrong kind": (b'{"interrupt_id": "ID", "option": 1}', "bad_fields", "option: Input should be a valid string"),
    "unknown field": (
        b'{"interrupt_id": "ID", "option": "approve", "by": "ada"}',
        "bad_fields",
        "by: Extra inputs are not permitted",
    ),
    "unknown interrupt": (b'{"interrupt_id": "i-0", "option": "approve"}', "unknown_interrupt", "no interrupt 'i-0'"),
    "not offered": (b'{"interrupt_id": "ID", "option": "ship"}', "invalid_answer", "'ship' is not offered"),
    "form": (
        b'{"interrupt_id": "ID", "option": "size", "data": {"replicas": "many"}}',
        "invalid_answer",
        "replicas: Input should be a valid integer",
    ),
    "no number": (
        b'{"interrupt_id": "ID", "option": "approve", "data": {"n": NaN}}',
        "invalid_answer",
        "data.n: nan is not JSON",
    ),
    "too large": (
        b'{"interrupt_id": "ID", "option": "approve", "data": {"x": "%s"}}' % (b"x" * 4 * 2**20),
        "too_large",
        "the limit is 4,194,304",
    ),
    "Slack's name": (
        b'{"interrupt_id": "ID", "option": "approve", "responder": "slack:T1/U1"}',
        "bad_fields",
        "responder: String should match pattern",
    ),
    "untrusted name": (
        b'{"interrupt_id": "ID", "option": "approve", "responder": "ada"}',
        "untrusted_name",
        "SPECTRA_REDIS_TRUSTS_NAMES",
    ),
}


@pytest.mark.parametrize("kind", POISON)
async def test_poison_is_set_aside_with_the_reason_and_the_next_answer_counts(
    redis: RedisServer, peer: Peer, tmp_path: Path, kind: str
) -> None:
    template, refusal, reason = POISON[kind]
    async with a_bot(redis, tmp_path / "s.db") as runner:
        request = await ask(runner)
        body = template.replace(b'"ID"', json.dumps(request.id).encode())

        refused = await peer.refused(await peer.write(body))

        await peer.answer(request.id, "reject")
        assert (await output(runner, request))["option"] == "reject"
    assert refused["refusal"] == refusal
    assert reason in refused["reason"]
    assert refused["original"] == (body or b'{"body": ""}')


async def test_entry_without_a_body_is_kept_as_its_fields(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db"):
        refused = await peer.refused(await peer.add({"interrupt_id": "i-1", b"\xff": b"\x00"}))

    assert refused["refusal"] == "bad_fields"
    assert json.loads(refused["original"]) == {"interrupt_id": "i-1", "\\xff": "\x00"}


@pytest.mark.parametrize(
    ("trusts_names", "named", "approvers", "is_let_in"),
    [
        (False, None, (), True),
        (False, None, ("queue:spectra:answers",), True),
        (False, None, ("U1", "slack:T1/U1"), False),
        (False, None, ("queue:spectra:answers/ada",), False),
        (True, "ada@example.com", (), True),
        (True, "ada", ("queue:spectra:answers/ada",), True),
        (True, "bob", ("queue:spectra:answers/ada",), False),
        (True, "ada", ("queue:spectra:answers",), False),
        (True, "U1", ("U1", "slack:T1/U1"), False),
        (True, None, ("queue:spectra:answers",), True),
    ],
)
async def test_who_answers_is_the_stream_and_a_name_only_where_names_are_trusted(  # noqa: PLR0917  fixtures
    redis: RedisServer,
    peer: Peer,
    tmp_path: Path,
    trusts_names: bool,
    named: str | None,
    approvers: tuple[str, ...],
    is_let_in: bool,
) -> None:
    workflow = asking(approvers=approvers)
    async with a_bot(redis, tmp_path / "s.db", workflow, trusts_names=trusts_names) as runner:
        request = await ask(runner)

        entry = await peer.answer(request.id, **({"responder": named} if named else {}))

        if is_let_in:
            by = f"queue:spectra:answers/{named}" if named else "queue:spectra:answers"
            assert (await output(runner, request))["by"] == by
        else:
            assert (await peer.refused(entry))["refusal"] == "not_allowed"
            assert (await runner.get_interrupt(request.id)).status == "pending"


class FailingStore:
    """A runner whose store fails for a while when something is answered."""

    def __init__(self, runner: WorkflowRunner, failures: int) -> None:
        self._runner = runner
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    async def answer(self, *given: Any) -> Any:
        if self._failures:
            self._failures -= 1
            raise StoreError("the database is locked")
        return await self._runner.answer(*given)


async def test_answer_is_tried_again_while_the_store_fails_and_never_set_aside(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    async with a_bot(redis, tmp_path / "s.db", listens=False) as runner, open_queue(redis.url) as queue:
        request = await ask(runner)
        failing: Any = FailingStore(runner, failures=3)
        async with serve_queue(failing, queue):
            await peer.answer(request.id)
            await peer.write("poison")  # comes through meanwhile

            assert (await output(runner, request))["option"] == "approve"
            await peer.until_taken()
    assert [entry["refusal"] for entry in await peer.set_aside()] == ["not_json"]


async def test_answer_that_was_written_while_nobody_listened_is_taken(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    async with a_bot(redis, tmp_path / "s.db", listens=False) as runner:
        request = await ask(runner)
        await peer.answer(request.id)

    async with a_bot(redis, tmp_path / "s.db") as runner:
        assert (await output(runner, request))["option"] == "approve"
        record = await runner.get_interrupt(request.id)
    assert record.response is not None
    assert record.response.status is InterruptStatus.APPROVED
    assert len(await peer.requests()) == 1


async def test_process_that_stops_leaves_no_consumer_behind(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        request = await ask(runner)
        await peer.answer(request.id)
        await output(runner, request)
        at_work = await peer.client.xinfo_consumers("spectra:answers", "spectra-bot")

    assert len(at_work) == 1
    assert await peer.client.xinfo_consumers("spectra:answers", "spectra-bot") == []
